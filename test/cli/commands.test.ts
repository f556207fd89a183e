// The commands against a real service in a process of its own.

import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ect } from './run.ts';
import { at, file, ISSUER, issue } from './served.ts';

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
    const argv = ['issue', '--exec-act', 'a'.repeat(257), '--aud', ISSUER, '--iss', 'urn:other', '--dry-run', ...at];
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
    expect(err.match(/Omit --iss, or set it to your own identity\./g)).toHaveLength(1);
  });

  test('with --json a rejection is JSON with the same reason', async () => {
    const { code, out } = await ect(['issue', '--exec-act', 'a', '--aud', ISSUER, '--pred', 'x', '--json', ...at]);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ error: { reason: 'PRED_INVALID', remedy: expect.stringMatching(/\S/) } });
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
