// The commands that verify tokens and receipts, against a real service.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generateLedgerKey, openLedgerKey } from '../../src/ledger/index.ts';
import { ect } from './run.ts';
import { at, directory, file, ISSUER, issue } from './served.ts';

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

  test('the verdict on a recorded token says that the ledger was not asked, and what asks it', async () => {
    const [token, verify] = [await issue('--level', 'L3'), ['--audience', ISSUER, '--no-replay', ...at]];
    const { out } = await ect(['verify', token, ...verify]);
    expect(out).toContain('✓ valid, L2');
    expect(out).toMatch(/^ {2}not checked +whether it is recorded: --minimum-level L3$/m);
    expect(out).toMatch(/^ {2}not checked +its predecessors: --dag-mode complete$/m);
    expect(out).toMatch(/^ {2}not checked +replay$/m);
    const asked = await ect(['verify', token, ...verify, '--minimum-level', 'L3', '--dag-mode', 'complete']);
    expect(asked.out).toContain('✓ valid, L3');
    expect(asked.out).not.toMatch(/not checked +(?:whether|its)/);
  });

  test('the name of a file without @ is wrong usage, not a malformed token or key', async () => {
    const stored = await file('bare', 'text');
    for (const argv of [
      ['verify', stored, '--audience', ISSUER],
      ['append', stored],
      ['audit', '--ledger-key', stored],
      ['dag', '--token', stored],
      ['issue', '--exec-act', 'a', '--aud', ISSUER, '--ext', stored],
    ]) {
      const { code, err } = await ect([...argv, ...at]);
      expect([code, err], argv.join(' ')).toEqual([2, expect.stringContaining(`write @${stored}`)]);
    }
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

  test('--report lists every fault', async () => {
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
    expect((await verify('2101-01-01T00:00:00Z')).err).toContain('--as-of must not be in the future');
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
