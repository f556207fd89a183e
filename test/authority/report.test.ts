// A report: every step that can still run after a failure.

import { describe, expect, test } from 'vitest';
import { VERIFY_STEPS, type Verdict } from '../../src/authority/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { JTI, OTHER_JTI } from '../support/tokens.ts';
import { appendTo, issueFor, PARTY, reasonIn, verifyFor } from './support.ts';

const report = { mode: 'report' } as const;
const OTHER_PARTY = 'urn:example:other';

/** The reason of each step that failed, by the name of the step. */
function failed({ failures, outcomes }: Verdict): object {
  for (const { step } of failures) expect(outcomes[step]).toBe('FAIL');
  expect(outcomes).toHaveLength(VERIFY_STEPS.length);
  expect(outcomes.filter((outcome) => outcome === 'FAIL')).toHaveLength(failures.length);
  return Object.fromEntries(failures.map(({ step, rejection }) => [VERIFY_STEPS[step]!.name, rejection.reason]));
}

function outcome(verdict: Verdict, name: string): string | undefined {
  return verdict.outcomes[VERIFY_STEPS.findIndex((step) => step.name === name)];
}

describe('a report', () => {
  test('lists every fault, with one reason a step; the verdict is that of the first', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { pred: [OTHER_JTI], ttlSeconds: 60 });
    clock.advance(60);
    const wrong = { audience: OTHER_PARTY, dag: 'complete', inputHash: 'x', minimumLevel: 'L3' } as const;
    const verdict = await verifyFor(context, token, { ...wrong, ...report });
    expect(failed(verdict)).toEqual({
      level: 'LEVEL_TOO_LOW',
      audience: 'AUDIENCE_MISMATCH',
      time: 'TOKEN_EXPIRED',
      hashes: 'INPUT_HASH_MISMATCH',
      dag: 'DAG_PREDECESSOR_MISSING',
    });
    const enforced = await verifyFor(context, token, wrong);
    expect(failed(enforced)).toEqual({ audience: 'AUDIENCE_MISMATCH' });
    expect(verdict.rejection).toEqual(enforced.rejection);
    expect(verdict.dag).toMatchObject({ status: 'partial', unresolved: [{ jti: OTHER_JTI }] });
    expect(verdict.level).toBeUndefined();
  });

  test('judges the claims of a token whose signature does not hold, and never gives them out', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context);
    clock.advance(5000);
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const verdict = await verifyFor(context, forged, { ...report, dag: 'complete' });
    expect(failed(verdict)).toEqual({ signature: 'SIGNATURE_INVALID', time: 'TOKEN_EXPIRED' });
    expect(verdict).toMatchObject({ rejection: { reason: 'SIGNATURE_INVALID' }, token: undefined, dag: undefined });
    expect([outcome(verdict, 'dag'), outcome(verdict, 'replay')]).toEqual(['SKIPPED', 'SKIPPED']);
  });

  test('R3: of a token that fails remembers nothing, but tells whether it was used', async () => {
    const { context, clock } = await makeAuthority();
    const { token } = await issueFor(context, { aud: [PARTY, OTHER_PARTY], ttlSeconds: 60 });
    await verifyFor(context, token);
    clock.advance(60);
    expect(failed(await verifyFor(context, token, report))).toEqual({
      time: 'TOKEN_EXPIRED',
      replay: 'TOKEN_REPLAYED',
    });
    const elsewhere = { ...report, audience: OTHER_PARTY };
    for (let look = 0; look < 2; look++) {
      expect(failed(await verifyFor(context, token, elsewhere))).toEqual({ time: 'TOKEN_EXPIRED' });
    }
    clock.advance(-60);
    expect(reasonIn(await verifyFor(context, token, elsewhere))).toBe('VALID');
  });

  test('R1: of a good token remembers its use, as any verification does', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    expect(failed(await verifyFor(context, token, report))).toEqual({});
    expect(failed(await verifyFor(context, token, report))).toEqual({ replay: 'TOKEN_REPLAYED' });
  });

  test('of a task that another token took names the graph and the use', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, execAct: 'other' })];
    await appendTo(context, one.token);
    await verifyFor(context, one.token);
    const verdict = await verifyFor(context, two.token, { ...report, dag: 'partial' });
    expect(failed(verdict)).toEqual({ dag: 'DAG_DUPLICATE_TASK', replay: 'TOKEN_EQUIVOCATED' });
    expect(verdict.equivocation?.signingInput).toBe(two.token.slice(0, two.token.lastIndexOf('.')));
  });

  test('of what cannot be read at all has one failure, and the rest is skipped', async () => {
    const { context } = await makeAuthority();
    for (const text of ['a.b.c', 'x', '{"iss":1,"iss":2}']) {
      const verdict = await verifyFor(context, text, report);
      expect(failed(verdict)).toEqual({ form: 'TOKEN_MALFORMED' });
    }
  });
});
