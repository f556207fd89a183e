import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { VERIFY_STEPS, type Verdict } from '../../src/authority/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { appendTo, highTwin, issueFor, PARTY, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

function outcome(verdict: Verdict, name: string): string | undefined {
  return verdict.outcomes[VERIFY_STEPS.findIndex((step) => step.name === name)];
}

describe('the verifier', () => {
  test('must say who it is, unless its connection does', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, { aud: ['spiffe://example.org/b'] });
    expect(await reasonOf(verifyFor(context, token, { audience: '' }))).toBe('REQUEST_INVALID');
    const verdict = await verifyFor(context, token, { audience: '' }, workload('spiffe://example.org/b'));
    expect(reasonIn(verdict)).toBe('VALID');
  });

  test('a token of an unknown key is an answer', async () => {
    const { context } = await makeAuthority();
    const verdict = await verifyFor(context, makeToken());
    expect(verdict).toMatchObject({ rejection: { reason: 'KEY_UNKNOWN' }, level: undefined, token: undefined });
    expect(verdict.outcomes).toHaveLength(VERIFY_STEPS.length);
    expect(outcome(verdict, 'replay')).toBe('SKIPPED');
  });
});

describe('T8: a signature that is checked beside others', () => {
  /** The token with another signature: that of another token. */
  const forge = (token: string, other: string) =>
    token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'));

  test('counts for its own token alone, whether that was verified before or not', async () => {
    const { context } = await makeAuthority();
    const tokens = await Promise.all(Array.from({ length: 40 }, async () => (await issueFor(context)).token));
    const forged = tokens.map((token, at) => forge(token, tokens[(at + 1) % tokens.length]!));
    const mixed = tokens.flatMap((token, at) => [token, forged[at]!]);
    for (const expected of ['VALID', 'TOKEN_REPLAYED']) {
      const reasons = (await Promise.all(mixed.map((token) => verifyFor(context, token)))).map(reasonIn);
      expect(reasons).toEqual(tokens.flatMap(() => [expected, 'SIGNATURE_INVALID']));
    }
  });

  test('keeps a forged token out of the ledger', async () => {
    const { context } = await makeAuthority();
    const [one, other] = [(await issueFor(context)).token, (await issueFor(context)).token];
    const reasons = [one, forge(one, other), other].map((token) => reasonOf(appendTo(context, token)));
    expect((await Promise.all(reasons))[1]).toBe('SIGNATURE_INVALID');
    expect(await reasonOf(appendTo(context, forge(one, other)))).toBe('SIGNATURE_INVALID');
  });
});

describe('replay', () => {
  test('R1: the same token is used once', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
    const second = await verifyFor(context, token);
    expect(reasonIn(second)).toBe('TOKEN_REPLAYED');
    expect(outcome(second, 'replay')).toBe('FAIL');
  });

  test('R2: of many uses at once exactly one is accepted', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => verifyFor(context, token)));
    expect(verdicts.filter((verdict) => reasonIn(verdict) === 'VALID')).toHaveLength(1);
  });

  test('R3: a token that fails does not use up its one use', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, { pred: [OTHER_JTI] });
    expect(reasonIn(await verifyFor(context, token, { audience: 'urn:example:other' }))).toBe('AUDIENCE_MISMATCH');
    expect(reasonIn(await verifyFor(context, token, { dag: 'complete' }))).toBe('DAG_PREDECESSOR_MISSING');
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
  });

  test('R4: each audience has a use of its own', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, { aud: [PARTY, 'urn:example:other'] });
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { audience: 'urn:example:other' }))).toBe('VALID');
  });

  test('R4: one jti in two workflows is two tasks', async () => {
    const { context } = await makeAuthority();
    for (const wid of ['', WID]) {
      expect(reasonIn(await verifyFor(context, (await issueFor(context, { jti: JTI, wid })).token))).toBe('VALID');
    }
  });

  test('a caller may repeat its own call, but not that of another caller', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const [a, b] = ['a', 'b'].map((name) => workload(`spiffe://example.org/${name}`));
    const requestId = 'call-1';
    expect(reasonIn(await verifyFor(context, token, { requestId }, a))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { requestId }, a))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { requestId: 'call-2' }, a))).toBe('TOKEN_REPLAYED');
    expect(reasonIn(await verifyFor(context, token, { requestId }, b))).toBe('TOKEN_REPLAYED');
    expect(reasonIn(await verifyFor(context, token, { requestId }, a))).toBe('VALID');
  });

  test('R1: anonymous callers share one scope of ids, so their ids must not be guessable', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    for (const requestId of ['1', 'call-1', 'x'.repeat(21)]) {
      expect(await reasonOf(verifyFor(context, token, { requestId })), requestId).toBe('REQUEST_INVALID');
    }
    // Nothing was used up by the rejections.
    const requestId = randomUUID();
    expect(reasonIn(await verifyFor(context, token, { requestId }))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { requestId }))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, token, { requestId: randomUUID() }))).toBe('TOKEN_REPLAYED');
    expect(reasonIn(await verifyFor(context, token))).toBe('TOKEN_REPLAYED');
  });

  test('R5: two tokens for one task are an equivocation that shows both, without signatures, and is alarmed', async () => {
    const { context, noticed } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, execAct: 'other' })];
    expect(reasonIn(await verifyFor(context, one.token))).toBe('VALID');
    expect(noticed).toEqual([]);
    const verdict = await verifyFor(context, two.token);
    expect(reasonIn(verdict)).toBe('TOKEN_EQUIVOCATED');
    const [firstSigningInput, signingInput] = [one, two].map(({ token }) => token.slice(0, token.lastIndexOf('.')));
    expect(verdict.equivocation).toEqual({ signingInput, firstSigningInput });
    expect(noticed).toEqual([{ event: 'equivocated', iss: ISSUER, wid: '', jti: JTI, seenBy: 'guard' }]);
  });

  test('that is observed is checked, and does not use the token up', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, execAct: 'other' })];
    const observe = (token: string) => verifyFor(context, token, { replay: 'observe' });
    for (let use = 0; use < 3; use++) {
      const verdict = await observe(one.token);
      expect([reasonIn(verdict), outcome(verdict, 'replay')]).toEqual(['VALID', 'PASS']);
    }
    expect(reasonIn(await verifyFor(context, one.token))).toBe('VALID');
    expect(reasonIn(await observe(one.token))).toBe('TOKEN_REPLAYED');
    expect(reasonIn(await observe(two.token))).toBe('TOKEN_EQUIVOCATED');
  });

  test('is neither checked nor recorded when it is skipped', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    for (let use = 0; use < 3; use++) {
      const verdict = await verifyFor(context, token, { replay: 'skip' });
      expect([reasonIn(verdict), outcome(verdict, 'replay')]).toEqual(['VALID', 'SKIPPED']);
    }
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
  });

  test('T9: the high-s twin of a used token is a replay', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const twin = highTwin(token);
    expect(twin).not.toBe(token);
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, twin))).toBe('TOKEN_REPLAYED');
  });
});

describe('level', () => {
  test('a token that is recorded is L3', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const before = await verifyFor(context, token, { minimumLevel: 'L3', replay: 'skip' });
    expect(before.rejection).toMatchObject({ reason: 'LEVEL_TOO_LOW', metadata: { minimum: 'L3' } });
    expect(outcome(before, 'level')).toBe('FAIL');
    await appendTo(context, token);
    expect(await verifyFor(context, token, { minimumLevel: 'L3', replay: 'skip' })).toMatchObject({ level: 'L3' });
    expect(await verifyFor(context, token, { replay: 'skip' })).toMatchObject({ level: 'L2' });
  });

  test('another token under the recorded name is not L3', async () => {
    const { context } = await makeAuthority();
    const twin = await issueFor(context, { jti: JTI, execAct: 'other' });
    await recordTask(context, { jti: JTI });
    expect(reasonIn(await verifyFor(context, twin.token, { minimumLevel: 'L3' }))).toBe('LEVEL_TOO_LOW');
    expect(reasonIn(await verifyFor(context, twin.token, { dag: 'partial' }))).toBe('DAG_DUPLICATE_TASK');
  });
});

describe('the graph', () => {
  test('of recorded predecessors is complete', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context, { wid: WID });
    const { token } = await issueFor(context, { wid: WID, pred: [pred] });
    const verdict = await verifyFor(context, token, { dag: 'complete' });
    expect(verdict).toMatchObject({ rejection: undefined, dag: { status: 'complete', visited: 1 } });
    expect(outcome(verdict, 'dag')).toBe('PASS');
  });

  test('takes predecessors that were handed along, once each has been verified', async () => {
    const { context, clock } = await makeAuthority();
    const first = await issueFor(context, { wid: WID, aud: ['urn:example:somebody'], ttlSeconds: 60 });
    clock.advance(100);
    const { token } = await issueFor(context, { wid: WID, pred: [first.claims.jti] });
    const question = { dag: 'complete', replay: 'skip' } as const;
    expect(reasonIn(await verifyFor(context, token, question))).toBe('DAG_PREDECESSOR_MISSING');
    expect(reasonIn(await verifyFor(context, token, { ...question, predecessors: [first.token] }))).toBe('VALID');
    const forged = await verifyFor(context, token, {
      ...question,
      predecessors: [makeToken({ jti: first.claims.jti, wid: WID })],
    });
    expect(forged.rejection).toMatchObject({ reason: 'KEY_UNKNOWN', metadata: { predecessor: '0' } });
    expect(outcome(forged, 'dag')).toBe('FAIL');
  });

  test('with unknown predecessors is partial, never complete', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context, { pred: [OTHER_JTI] });
    const verdict = await verifyFor(context, token, { dag: 'partial' });
    expect(verdict).toMatchObject({
      rejection: undefined,
      dag: { status: 'partial', unresolved: [{ jti: OTHER_JTI }] },
    });
  });
});
