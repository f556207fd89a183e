// The commands against a real service in a process of its own.

import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateLedgerKey, openCheckpoint, openLedgerKey } from '../../src/ledger/index.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

const ISSUER = 'urn:ect:dev';

let service: ServiceProcess;
let directory = '';
let at: readonly string[] = [];

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous' });
  directory = await mkdtemp(join(tmpdir(), 'ect-cli-'));
  at = ['--url', service.url];
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** Issues a token with these further options and answers it. */
async function issue(...options: string[]): Promise<string> {
  const { code, out, err } = await ect(['issue', '--exec-act', 'review_spec', '--aud', ISSUER, ...options, ...at]);
  expect(err).toContain('✓ issued');
  expect(code).toBe(0);
  return out.trim();
}

describe('issue', () => {
  test('prints the token alone on stdout and the facts on stderr', async () => {
    const { code, out, err } = await ect(['issue', '--exec-act', 'review_spec', '--aud', ISSUER, ...at]);
    expect(code).toBe(0);
    expect(out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(err).toMatch(/exec_act {2}review_spec\n/);
  });

  test('hands every option on to the token', async () => {
    const [wid, jti, before] = [randomUUID(), randomUUID(), randomUUID()];
    const input = await file('input', 'test');
    const named = [
      '--wid',
      wid,
      '--jti',
      jti,
      '--pred',
      before,
      '--iss',
      `${ISSUER}:a`,
      '--ttl',
      '2m',
      '--input',
      input,
    ];
    const bound = [
      '--out-hash',
      '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
      '--ext',
      '{"com.example.n":9007199254740993}',
    ];
    const token = await issue(...named, ...bound);
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
    expect(JSON.parse(payload)).toMatchObject({
      iss: `${ISSUER}:a`,
      aud: [ISSUER],
      wid,
      jti,
      pred: [before],
      exec_act: 'review_spec',
      inp_hash: 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg',
      out_hash: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU',
    });
    expect(payload).toContain('"ect_ext":{"com.example.n":9007199254740993}');
    const { iat, exp } = JSON.parse(payload) as { iat: number; exp: number };
    expect(exp - iat).toBe(120);
  });

  test('--json prints the response with the field names of the API', async () => {
    const argv = ['issue', '--exec-act', 'a', '--aud', ISSUER, '--level', 'L3', '--json', ...at];
    const { code, out } = await ect(argv);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      token: expect.stringMatching(/^ey/),
      level: 'LEVEL_L3',
      claims: { execAct: 'a', aud: [ISSUER] },
      receipt: {
        leaf: expect.any(String),
        inclusion: { leafIndex: expect.stringMatching(/^\d+$/), checkpoint: expect.stringContaining('\n\n— ') },
      },
    });
  });

  test('the same request id gets the same token', async () => {
    const key = ['--request-id', randomUUID()];
    expect(await issue(...key)).toBe(await issue(...key));
  });

  test('a dry run prints the claims and no token', async () => {
    const { code, out, err } = await ect(['issue', '--exec-act', 'a', '--aud', ISSUER, '--dry-run', ...at]);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toContain('nothing was signed or recorded');
  });

  test('a dry run that would be rejected lists every check that fails, and exits with 1', async () => {
    const argv = ['issue', '--exec-act', '', '--aud', ISSUER, '--iss', 'urn:other', '--dry-run', ...at];
    const { code, out, err } = await ect(argv);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('✗ dry run: it would be rejected');
    expect(err).toContain('✗ caller  ISSUER_NOT_ALLOWED');
    expect(err).toContain('✗ formats  CLAIM_INVALID');
    const json = await ect([...argv, '--json']);
    expect(json.code).toBe(1);
    const { checks } = JSON.parse(json.out) as { checks: { name: string; finding?: { remedy: string } }[] };
    expect(checks.map(({ name }) => name)).toEqual([
      'caller',
      'formats',
      'key',
      'dag',
      'size',
      'room',
      'signature',
      'record',
    ]);
    expect(checks[0]?.finding?.remedy).toMatch(/\S/);
  });

  test('an unsigned object, and a token of draft -00', async () => {
    const object = JSON.parse(await issue('--level', 'L1')) as object;
    expect(object).toMatchObject({ exec_act: 'review_spec', aud: [ISSUER], pred: [] });
    const older = await issue('--draft', '00');
    expect(Buffer.from(older.split('.')[0] ?? '', 'base64url').toString()).toContain('"wimse-exec+jwt"');
    expect((await ect(['verify', older, '--audience', ISSUER, ...at])).code).toBe(0);
  });

  test.each(['00', '01'])('what a policy said is shown claim by claim, of draft -%s', async (draft) => {
    const ext = '{"pol":"p1","pol_decision":"approved","pol_timestamp":1772000000}';
    const { out: text } = await ect([
      'verify',
      await issue('--draft', draft, '--ext', ext),
      '--audience',
      ISSUER,
      ...at,
    ]);
    expect(text).toMatch(/^ +pol +p1$/m);
    expect(text).toMatch(/^ +pol_decision +approved$/m);
    expect(text).toMatch(/^ +pol_timestamp +2026-02-25T06:13:20Z$/m);
    expect(text).not.toContain('pol_enforcer');
    const plain = await ect(['verify', await issue(), '--audience', ISSUER, ...at]);
    expect(plain.out).not.toMatch(/^ +pol/m);
  });

  test('asynchronous L3 prints the token at once, and its entry follows', async () => {
    const jti = randomUUID();
    const argv = ['issue', '--exec-act', 'a', '--aud', ISSUER, '--jti', jti, '--level', 'L3', '--async'];
    const { code, out, err } = await ect([...argv, ...at]);
    expect([code, err.includes('✓ issued, L2')]).toEqual([0, true]);
    const entry = await ect(['entry', '--jti', jti, '--wait', '30s', ...at]);
    expect([entry.code, entry.out.includes(out.trim())]).toEqual([0, true]);
    expect((await ect(['entry', '--jti', jti, '--wait', '30s', '--json', ...at])).out).toBe(
      (await ect(['entry', '--jti', jti, '--json', ...at])).out,
    );
    const unknown = await ect(['entry', '--jti', randomUUID(), '--wait', '30s', ...at]);
    expect([unknown.code, unknown.err.includes('ENTRY_NOT_FOUND')]).toEqual([1, true]);
    expect((await ect(['append', out.trim(), ...at])).out).toContain('recorded before');
  });

  test('a rejection has its reason, its facts and the next step, and exits with 1', async () => {
    const { code, out, err } = await ect(['issue', '--exec-act', 'a', '--aud', ISSUER, '--iss', 'urn:other', ...at]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/✗ ISSUER_NOT_ALLOWED: \S/);
    expect(err).toContain('iss  urn:other');
    expect(err.match(/Omit `iss`, or set it to your own identity\./g)).toHaveLength(1);
  });

  test('with --json a rejection is JSON with the same reason', async () => {
    const { code, out } = await ect(['issue', '--exec-act', 'a', '--aud', ISSUER, '--pred', 'x', '--json', ...at]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ error: { reason: 'PRED_INVALID', remedy: expect.stringMatching(/\S/) } });
  });
});

describe('verify', () => {
  test('a good token is valid, and a report shows every step', async () => {
    const [token, audience] = [await issue(), ['--audience', ISSUER]];
    const { code, out } = await ect(['verify', token, ...audience, '--observe', ...at]);
    expect(code).toBe(0);
    expect(out).toContain('✓ valid, L2');
    expect(out).not.toContain('✓ signature');
    const report = await ect(['verify', token, ...audience, '--report', ...at]);
    expect(report.out).toContain('✓ signature');
    expect(report.out).toMatch(/^– dag {2}not checked$/m);
  });

  test('a token from a file or from stdin is the same token', async () => {
    const token = await issue();
    const stored = await file('token', `${token}\n`);
    expect((await ect(['verify', `@${stored}`, '--audience', ISSUER, '--no-replay', ...at])).code).toBe(0);
    expect((await ect(['verify', '-', '--audience', ISSUER, '--no-replay', ...at], `${token}\n`)).code).toBe(0);
  });

  test('R1: a replayed token is rejected unless the call is repeated under its request id', async () => {
    const [token, id] = [await issue(), randomUUID()];
    const verify = (...more: string[]) => ect(['verify', token, '--audience', ISSUER, ...more, ...at]);
    expect((await verify('--request-id', id)).code).toBe(0);
    expect((await verify('--request-id', id)).code).toBe(0);
    const replayed = await verify('--request-id', randomUUID());
    expect(replayed.code).toBe(1);
    expect(replayed.out).toMatch(/^✗ TOKEN_REPLAYED: \S/);
    expect(replayed.out).toMatch(/^ {2}next: \S/m);
    expect((await verify('--no-replay')).code).toBe(0);
  });

  test('--observe looks for a replay and leaves the token its one use', async () => {
    const token = await issue();
    const verify = (...more: string[]) => ect(['verify', token, '--audience', ISSUER, ...more, ...at]);
    expect((await verify('--observe')).code).toBe(0);
    expect((await verify('--observe')).code).toBe(0);
    expect((await verify()).code).toBe(0);
    expect((await verify('--observe')).out).toContain('✗ TOKEN_REPLAYED');
    expect((await verify('--observe', '--no-replay')).code).toBe(2);
  });

  test('R5: an equivocation shows both tokens without their signatures', async () => {
    const [jti, audience] = [randomUUID(), ['--audience', ISSUER]];
    const one = await issue('--jti', jti);
    const two = await issue('--jti', jti, '--ttl', '5m');
    expect((await ect(['verify', one, ...audience, ...at])).code).toBe(0);
    const { code, out } = await ect(['verify', two, ...audience, ...at]);
    expect(code).toBe(1);
    expect(out).toContain('✗ TOKEN_EQUIVOCATED');
    for (const token of [one, two]) {
      expect(out).toContain(token.slice(0, token.lastIndexOf('.')));
      expect(out).not.toContain(token.slice(token.lastIndexOf('.')));
    }
  });

  test('--report lists everything that is to be mended', async () => {
    const token = await issue('--pred', randomUUID());
    const wrong = ['--audience', 'urn:other', '--dag-mode', 'complete', '--minimum-level', 'L3'];
    const { code, out } = await ect(['verify', token, ...wrong, '--report', ...at]);
    expect(code).toBe(1);
    expect(out).toMatch(/^✗ AUDIENCE_MISMATCH: /);
    for (const row of ['level  LEVEL_TOO_LOW', 'audience  AUDIENCE_MISMATCH', 'dag  DAG_PREDECESSOR_MISSING']) {
      expect(out).toContain(`✗ ${row}`);
    }
  });

  test('--as-of judges as of a past time, and not of the future', async () => {
    const token = await issue();
    const verify = (asOf: string) => ect(['verify', token, '--audience', ISSUER, '--as-of', asOf, ...at]);
    expect((await verify(new Date().toISOString())).code).toBe(0);
    expect((await verify('2001-01-01T00:00:00Z')).out).toContain('✗ IAT_IN_FUTURE');
    expect((await verify('2101-01-01T00:00:00Z')).err).toContain('as_of must not be in the future');
    expect((await verify('yesterday')).code).toBe(2);
  });

  test('an invalid verdict is exit code 1 with --json too, and says so explicitly', async () => {
    const { code, out } = await ect(['verify', await issue(), '--audience', 'urn:other', '--json', ...at]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, finding: { reason: 'ERROR_REASON_AUDIENCE_MISMATCH' } });
  });

  test('an output that is not the one that was attested is rejected', async () => {
    const [right, wrong] = [await file('right', 'right'), await file('wrong', 'wrong')];
    const token = await issue('--output', right);
    const verify = (output: string) =>
      ect(['verify', token, '--audience', ISSUER, '--no-replay', '--output', output, ...at]);
    expect((await verify(right)).code).toBe(0);
    const { code, out } = await verify(wrong);
    expect(code).toBe(1);
    expect(out).toContain('✗ OUTPUT_HASH_MISMATCH');
  });

  test('the graph is complete once the predecessors come along', async () => {
    const jti = randomUUID();
    const before = await issue('--jti', jti);
    const token = await issue('--pred', jti);
    const verify = (...more: string[]) =>
      ect(['verify', token, '--audience', ISSUER, '--no-replay', '--dag-mode', 'complete', ...more, ...at]);
    const alone = await verify();
    expect(alone.code).toBe(1);
    expect(alone.out).toContain('✗ DAG_PREDECESSOR_MISSING');
    expect(alone.out).toContain(`? ${jti} was not found`);
    const together = await verify('--pred-token', before);
    expect(together.code).toBe(0);
    expect(together.out).toContain('graph: complete');
  });
});

describe('append', () => {
  test('answers where the token is recorded, and the second time that it was there', async () => {
    const token = await issue();
    const first = await ect(['append', token, ...at]);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/✓ recorded\n {2}index +\d+\n/);
    const second = await ect(['append', token, '--json', ...at]);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.out)).toMatchObject({ duplicate: true, entry: { task: { token } } });
  });

  test('a dry run lists the checks and records nothing', async () => {
    const good = await issue();
    const { code, out } = await ect(['append', good, '--dry-run', ...at]);
    expect(code).toBe(0);
    expect(out).toContain('✓ dry run: nothing was signed or recorded');
    expect(out).toContain('✓ dag');
    expect((await ect(['append', good, ...at])).out).toContain('✓ recorded');
    expect((await ect(['append', good, '--dry-run', ...at])).out).toContain('✓ it was recorded before');
    const orphan = await ect(['append', await issue('--pred', randomUUID()), '--dry-run', ...at]);
    expect(orphan.code).toBe(1);
    expect(orphan.out).toContain('✗ dag  DAG_PREDECESSOR_MISSING');
  });

  test('R9: a task whose predecessor is not recorded is rejected', async () => {
    const before = randomUUID();
    const { code, out, err } = await ect(['append', await issue('--pred', before), ...at]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('✗ DAG_PREDECESSOR_MISSING');
    expect(err).toContain(`pred  ${before}`);
    expect(err).toContain(
      'next: Append the predecessors first. Verify and ValidateDAG also take their tokens, in predecessor_tokens.',
    );
  });

  test('a receipt that cannot be kept is said, although the entry is recorded', async () => {
    const { code, err } = await ect(['append', await issue(), '--receipt-out', '/nowhere/a.json', ...at]);
    expect(code).toBe(1);
    expect(err).toContain(
      'its receipt is not kept: /nowhere/a.json cannot be made, since there is no directory /nowhere',
    );
  });
});

describe('a receipt is checked without the service', () => {
  let token = '';
  let key = '';
  let receipt = '';
  const offline = (...argv: string[]) => ect(['verify', ...argv, '--url', 'http://127.0.0.1:1']);

  beforeAll(async () => {
    token = await issue();
    receipt = join(directory, 'order.tlog-proof');
    await ect(['append', token, '--receipt-out', receipt, ...at]);
    key = (await ect(['checkpoint', '--key', ...at])).out.trim();
  });

  test('L12: a tlog-proof with its leaf beside it proves the entry', async () => {
    const { code, out } = await offline(token, '--receipt', receipt, '--ledger-key', key);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ recorded: entry \d+ of \d+ \(index \d+\)\n/);
  });

  test('JSON does as well: of the receipt, or of the answer that it came in', async () => {
    const alone = join(directory, 'receipt.json');
    const answer = (await ect(['append', token, '--receipt-out', alone, '--json', ...at])).out;
    const stored = await file('key', `${key}\n`);
    for (const path of [alone, await file('answer.json', answer)]) {
      const { code, out } = await offline(token, '--receipt', path, '--ledger-key', `@${stored}`, '--json');
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ valid: true, leafIndex: expect.stringMatching(/^\d+$/) });
    }
  });

  test('it proves nothing about another token', async () => {
    const { code, err } = await offline(await issue(), '--receipt', receipt, '--ledger-key', key);
    expect(code).toBe(1);
    expect(err).toContain('✗ receipt_invalid: the leaf commits to other content');
  });

  test('it proves nothing under the key of another ledger', async () => {
    const other = openLedgerKey(generateLedgerKey('ledger.example/other')).verifierKey;
    const { code, err } = await offline(token, '--receipt', receipt, '--ledger-key', other);
    expect(code).toBe(1);
    expect(err).toContain('not signed by this ledger key');
  });

  test('L8: a leaf that was edited is rejected', async () => {
    const leaf = await readFile(join(directory, 'order.leaf'), 'utf8');
    const edited = await file('edited.leaf', leaf.replace(ISSUER, 'urn:ect:dew'));
    const { code, err } = await offline(token, '--receipt', receipt, '--leaf', edited, '--ledger-key', key);
    expect(code).toBe(1);
    expect(err).toContain('the proof does not lead from the leaf to the root');
  });

  test.each([
    ['--audience', ISSUER],
    ['--input', 'a.txt'],
    ['--dag-mode', 'complete'],
    ['--as-of', '1700000000'],
    ['--no-replay'],
    ['--minimum-level', 'L3'],
    ['--pred-token', 'x'],
    ['--report'],
    ['--request-id', 'x'],
  ])('what only the service can answer is not passed over: %s', async (...option) => {
    const { code, err } = await offline(token, '--receipt', receipt, '--ledger-key', key, ...option);
    expect(code).toBe(2);
    expect(err).toContain(`cannot be used with option '${option[0]}`);
  });

  test.each(['--ledger-key', '--leaf'])('and %s without a receipt is not passed over by the service', async (name) => {
    const { code, err } = await ect(['verify', token, '--audience', ISSUER, '--no-replay', name, key, ...at]);
    expect(code).toBe(2);
    expect(err).toContain('go with --receipt');
  });

  test('a dry run records nothing, so there is no receipt to keep', async () => {
    const { code, err } = await ect(['append', token, '--dry-run', '--receipt-out', join(directory, 'no.json'), ...at]);
    expect(code).toBe(2);
    expect(err).toContain("'--dry-run' cannot be used with option '--receipt-out");
  });

  test('a file that is no receipt is wrong usage', async () => {
    const { code } = await offline(token, '--receipt', await file('bad.json', '{"receipt": 1}'), '--ledger-key', key);
    expect(code).toBe(2);
  });
});

describe('taint', () => {
  test('a task is marked once, and what came after it is shown as tainted', async () => {
    const [wid, root] = [randomUUID(), randomUUID()];
    await issue('--wid', wid, '--jti', root, '--level', 'L3');
    const next = await issue('--wid', wid, '--pred', root, '--level', 'L3');
    const first = await ect(['taint', '--jti', root, '--wid', wid, '--note', 'agent was hijacked', '--yes', ...at]);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^✓ marked\n {2}index +\d+\n {2}kind +compromised\n {2}jti/);
    const again = await ect(['taint', '--jti', root, '--wid', wid, '--note', 'no news', '--json', '--yes', ...at]);
    const { duplicate, entry } = JSON.parse(again.out) as {
      duplicate: boolean;
      entry: { index: string; taint: { task: object; statement: string } };
    };
    expect({ duplicate, task: entry.taint.task }).toEqual({ duplicate: true, task: { wid, jti: root } });
    expect(entry.taint.statement).toContain('agent was hijacked');

    const graph = await ect(['dag', '--wid', wid, ...at]);
    expect(graph.code).toBe(0);
    expect(graph.out).toContain(`! ${root} is tainted: it was marked as compromised (marked at index ${entry.index})`);
    expect(graph.out).toContain(`is tainted: it comes after ${root}, which was marked as compromised`);
    expect(graph.out).toMatch(/path level +L3/);
    expect((await ect(['dag', '--wid', wid, '--mermaid', ...at])).out).toContain('class t0 tainted');
    const verdict = await ect(['verify', next, '--audience', ISSUER, '--no-replay', '--dag-mode', 'complete', ...at]);
    expect(verdict.code).toBe(0);
    expect(verdict.out).toContain(`! ${root} is tainted`);

    const shown = await ect(['entry', '--index', entry.index, ...at]);
    expect(shown.out).toMatch(/marked by +anonymous/);
    expect(shown.out).toContain('agent was hijacked');
  });

  test('a key is marked by its id, and the receipt can be kept', async () => {
    const kept = join(directory, 'mark.tlog-proof');
    const { code, err } = await ect(['taint', '--kid', 'stolen', '--receipt-out', kept, '--yes', ...at]);
    expect(code).toBe(0);
    expect(err).toContain(`receipt: ${kept}`);
    const json = await ect(['taint', '--kid', 'stolen', '--json', '--yes', ...at]);
    expect(JSON.parse(json.out)).toMatchObject({ duplicate: true, entry: { taint: { kid: 'stolen' } } });
  });

  test('nothing, or a task that cannot be one, is not marked', async () => {
    expect((await ect(['taint', '--yes', ...at])).code).toBe(2);
    expect((await ect(['taint', '--kid', 'k', '--jti', randomUUID(), '--yes', ...at])).code).toBe(2);
    const { code, err } = await ect(['taint', '--jti', 'no uuid', '--yes', ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ REQUEST_INVALID');
    expect(err).toContain('task.jti');
  });
});

describe('dag', () => {
  const wid = randomUUID();
  const [a, b] = [randomUUID(), randomUUID()];
  let tokens: readonly string[] = [];

  beforeAll(async () => {
    tokens = [await issue('--wid', wid, '--jti', a, '--level', 'L3')];
    tokens = [...tokens, await issue('--wid', wid, '--jti', b, '--pred', a, '--level', 'L3')];
  });

  test('a recorded workflow is complete', async () => {
    const { code, out } = await ect(['dag', '--wid', wid, ...at]);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ complete\n {2}tasks +2\n {2}longest path +2\n/);
    expect(JSON.parse((await ect(['dag', '--wid', wid, '--json', ...at])).out)).toMatchObject({
      dagReport: { status: 'DAG_STATUS_COMPLETE', violations: [] },
      roots: [{ wid, jti: a }],
      leaves: [{ wid, jti: b }],
    });
  });

  test('a drawing is all that stdout gets', async () => {
    const mermaid = await ect(['dag', '--wid', wid, '--mermaid', ...at]);
    expect(mermaid.out).toMatch(/^(flowchart|graph) /);
    const dot = await ect(['dag', '--wid', wid, '--dot', ...at]);
    expect(dot.out).toMatch(/^digraph [\s\S]*\}\n$/);
    expect([mermaid.code, mermaid.err, dot.code, dot.err]).toEqual([0, '', 0, '']);
  });

  test('its tasks are listed with what was done and after which tasks; those of a bundle and of a token too', async () => {
    const lines = `\n${a}  review_spec  root\n${b}  review_spec  after ${a}\n`;
    expect((await ect(['dag', '--wid', wid, ...at])).out).toContain(lines);
    expect((await ect(['dag', '--bundle', '-', ...at], tokens.join('\n'))).out).toContain(lines);
    const handed = ['--token', tokens[1] ?? '', '--pred-token', tokens[0] ?? ''];
    expect((await ect(['dag', ...handed, ...at])).out).toContain(lines);
  });

  test('list names the entries of the ledger and the workflows that they form', async () => {
    const entries = await ect(['list', 'entries', '--wid', wid, ...at]);
    expect(entries.code).toBe(0);
    expect(entries.out).toMatch(
      new RegExp(`^ +\\d+ {2}\\S+Z {2}task {2}${a} {2}${wid} {2}${ISSUER}\\n +\\d+ {2}\\S+Z {2}task {2}${b} {2}`),
    );
    const all = (await ect(['list', 'entries', '--json', ...at])).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(all.map(({ index }) => index)).toEqual(all.map((_, at) => String(at)));
    expect(all[0]).toMatchObject({ index: '0', key: { state: 'KEY_STATE_ANNOUNCED', statedBy: 'service' } });
    // What became of a key is told, and of which.
    const keys = await ect(['list', 'entries', '--limit', '2', ...at]);
    const events = ['announced', 'active'].map(
      (state, place) => ` +${place} {2}\\S+Z {2}key-${state} {2}${all[0].key.kid} {2}-`,
    );
    expect(keys.out).toMatch(new RegExp(`^${events.join('.*\\n')}`));
    expect((await ect(['entry', '--index', '1', ...at])).out).toMatch(/^kind +key active$/m);
    expect((await ect(['list', 'entries', '--limit', '2', ...at])).out.split('\n')).toHaveLength(3);
    expect((await ect(['list', 'entries', '--before', '1', ...at])).out).toBe('');
    const indexesOf = async (...options: string[]) =>
      (await ect(['list', 'entries', ...options, ...at])).out
        .split('\n')
        .slice(0, -1)
        .map((line) => Number.parseInt(line, 10));
    const inOrder = await indexesOf();
    expect(inOrder.slice(0, 2)).toEqual([0, 1]);
    expect(await indexesOf('--order', 'newest')).toEqual(inOrder.toReversed());
    expect(await indexesOf('--order', 'newest', '--limit', '2')).toEqual(inOrder.slice(-2).reverse());
    expect(await indexesOf('--from', '2')).toEqual(inOrder.slice(2));
    expect(await indexesOf('--kind', 'key')).toEqual([0, 1]);
    const ofKinds = all
      .filter(({ task, key }) => task !== undefined || key !== undefined)
      .map(({ index }) => Number(index));
    expect(await indexesOf('--kind', 'task', 'key', '--order', 'newest')).toEqual(ofKinds.toReversed());
    expect((await ect(['list', 'entries', '--kind', 'taks', ...at])).code).toBe(2);

    const workflows = await ect(['list', 'workflows', ...at]);
    expect(workflows.out).toMatch(new RegExp(`^${wid} {2}2 tasks {2}\\S+Z {2}\\S+Z$`, 'm'));
    const json = JSON.parse((await ect(['list', 'workflows', '--json', ...at])).out);
    expect(json).toContainEqual(expect.objectContaining({ wid, tasks: 2 }));
    expect((await ect(['list', 'workflows', '--before', '1', ...at])).err).toContain('no workflow is recorded');
  });

  test('only a complete graph exits with 0, unless a partial one is allowed', async () => {
    const orphan = await issue('--pred', randomUUID());
    const strict = await ect(['dag', '--token', orphan, ...at]);
    expect(strict.code).toBe(1);
    expect(strict.out).toContain('✗ partial');
    expect((await ect(['dag', '--token', orphan, '--allow-partial', ...at])).code).toBe(0);
  });

  test('a bundle is read as JSON or line by line, and judged by itself', async () => {
    const lines = await file('bundle.txt', `${tokens.join('\n')}\n`);
    expect((await ect(['dag', '--bundle', lines, ...at])).code).toBe(0);
    const json = await file('bundle.json', JSON.stringify(tokens.slice(1)));
    const { code, out } = await ect(['dag', '--bundle', json, ...at]);
    expect(code).toBe(1);
    expect(out).toContain(`? ${a} was not found`);
    expect((await ect(['dag', '--bundle', await file('bad-bundle.json', '[1]'), ...at])).code).toBe(2);
  });

  test('an unknown workflow is rejected', async () => {
    const { code, err } = await ect(['dag', '--wid', randomUUID(), ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ WORKFLOW_NOT_FOUND');
  });
});

describe('entry and checkpoint', () => {
  test('an entry is found by its task and by its index', async () => {
    const [jti, wid] = [randomUUID(), randomUUID()];
    const token = await issue('--jti', jti, '--wid', wid, '--level', 'L3');
    const byTask = await ect(['entry', '--jti', jti, '--wid', wid, '--json', ...at]);
    const { entry } = JSON.parse(byTask.out) as { entry: { index: string; task: { token: string } } };
    expect(entry.task.token).toBe(token);
    const byIndex = await ect(['entry', '--index', entry.index, ...at]);
    expect(byIndex.code).toBe(0);
    expect(byIndex.out).toContain(token);
    expect(byIndex.out).toMatch(new RegExp(`jti +${jti}`));
  });

  test('an entry that is not there is rejected', async () => {
    const { code, err } = await ect(['entry', '--jti', randomUUID(), ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ ENTRY_NOT_FOUND');
    const beyond = await ect(['entry', '--index', '9999', ...at]);
    expect(beyond.code).toBe(1);
    expect(beyond.err).toContain('✗ INDEX_OUT_OF_RANGE');
    expect(beyond.err).not.toContain('Check jti and wid');
    expect(beyond.err).toMatch(/The ledger has no entry 9999: it has \d+ entries, indexes 0 to \d+/);
  });

  test('the checkpoint is printed byte for byte, so that it opens under the printed key', async () => {
    const { out: note } = await ect(['checkpoint', ...at]);
    const { out: key } = await ect(['checkpoint', '--key', ...at]);
    expect(openCheckpoint(note, key.trim())).toMatchObject({ ok: true });
  });

  test('the verifier key is the same from the service and from its data directory', async () => {
    const online = await ect(['checkpoint', '--key', ...at]);
    const offline = await ect(['checkpoint', '--key', '--data-dir', service.dataDir]);
    expect(offline.code).toBe(0);
    expect(offline.out).toBe(online.out);
  });
});
