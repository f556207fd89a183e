import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { Caller, IssueInput } from '../../src/authority/index.ts';
import { rawToDer } from '../../src/keys/ecdsa.ts';
import type { Signer } from '../../src/keys/index.ts';
import { openCheckpoint, verifyReceipt } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import type { JsonObject } from '../../src/token/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { workload as workloadOf } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';
import { endless, issueFor, PARTY, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

const workload: Caller = workloadOf('spiffe://example.org/a');

describe('a token that is issued', () => {
  test('verifies, and says what was asked for', async () => {
    const { context, clock, signer } = await makeAuthority();
    const { token, claims, kid } = await issueFor(context, { wid: WID, jti: JTI, ttlSeconds: 60 });
    expect(claims).toMatchObject({
      iss: ISSUER,
      aud: [PARTY],
      wid: WID,
      jti: JTI,
      iat: clock.now(),
      exp: clock.now() + 60,
    });
    expect(kid).toBe(signer.jwk.kid);
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
  });

  test('H17: is signed for its caller, so that a signer with limits can share them', async () => {
    const { context, signer } = await makeAuthority();
    const sign = vi.spyOn(signer, 'sign');
    await issueFor(context, {}, workload);
    expect(sign.mock.calls.map((args: readonly unknown[]) => args[2])).toEqual(['spiffe://example.org/a']);
  });

  test('has a fresh jti, ten minutes and no optional claims by default', async () => {
    const { context } = await makeAuthority();
    const [one, two] = await Promise.all([issueFor(context), issueFor(context)]);
    expect(one.claims.jti).not.toBe(two.claims.jti);
    const payload = JSON.parse(Buffer.from(one.token.split('.')[1]!, 'base64url').toString());
    expect(Object.keys(payload)).toEqual(['iss', 'aud', 'iat', 'exp', 'jti', 'exec_act', 'pred']);
    expect(payload.exp - payload.iat).toBe(600);
  });

  test('carries the extension text as it was given', async () => {
    const { context } = await makeAuthority();
    const text = '{"com.example.big":123456789012345678901234567890}';
    const { token } = await issueFor(context, { ext: { text, value: JSON.parse(text) } });
    expect(Buffer.from(token.split('.')[1]!, 'base64url').toString()).toContain(text);
    expect(reasonIn(await verifyFor(context, token))).toBe('VALID');
  });

  /** A pending recording for this extension object. */
  const withExt = (value: JsonObject) => ({ ext: { value, text: JSON.stringify(value) } });

  test.each<[order: Partial<IssueInput>, reason: string]>([
    [{ execAct: '' }, 'CLAIM_INVALID'],
    [{ execAct: 'x'.repeat(257) }, 'CLAIM_INVALID'],
    [{ execAct: 'a\u0000b' }, 'CLAIM_INVALID'],
    [{ execAct: 'a\ud800' }, 'CLAIM_INVALID'],
    [{ aud: [] }, 'CLAIM_INVALID'],
    [{ aud: [''] }, 'CLAIM_INVALID'],
    [{ aud: ['urn:a\n'] }, 'CLAIM_INVALID'],
    [{ aud: Array.from({ length: 65 }, (_, at) => `urn:${at}`) }, 'CLAIM_INVALID'],
    [{ iss: 'urn:somebody:else' }, 'ISSUER_NOT_ALLOWED'],
    [{ iss: `${ISSUER}:a b` }, 'ISSUER_NOT_ALLOWED'],
    [{ wid: 'x' }, 'CLAIM_INVALID'],
    [{ jti: JTI.toUpperCase() }, 'CLAIM_INVALID'],
    [{ jti: OTHER_JTI }, 'DAG_DUPLICATE_TASK'],
    [{ jti: JTI, pred: [JTI] }, 'PRED_INVALID'],
    [{ pred: [JTI, JTI] }, 'PRED_INVALID'],
    [{ pred: ['__proto__'] }, 'PRED_INVALID'],
    [{ pred: Array.from({ length: 101 }, () => randomUUID()) }, 'PRED_INVALID'],
    [{ ttlSeconds: 86_401 }, 'CLAIM_INVALID'],
    [{ ttlSeconds: Number.MAX_SAFE_INTEGER }, 'CLAIM_INVALID'],
    [{ inpHash: 'short' }, 'CLAIM_INVALID'],
    [{ outHash: `sha-256:${'A'.repeat(43)}` }, 'CLAIM_INVALID'],
    [withExt({ a: { b: { c: { d: { e: {} } } } } }), 'EXT_TOO_DEEP'],
    [withExt({ a: 'x'.repeat(4097) }), 'EXT_TOO_LARGE'],
    [withExt({ pol: 'p' }), 'CLAIM_INVALID'],
    [withExt({ pol: 'p', pol_decision: 'perhaps' }), 'CLAIM_INVALID'],
    [{ aud: Array.from({ length: 64 }, (_, at) => `urn:${'x'.repeat(300)}:${at}`) }, 'TOKEN_TOO_LARGE'],
  ])('T27: is rejected for %j', async (order, reason) => {
    const { context } = await makeAuthority();
    await recordTask(context, { jti: OTHER_JTI });
    expect(await reasonOf(issueFor(context, order))).toBe(reason);
  });

  test('T27: claims inside the extension stay there: they set nothing', async () => {
    const { context, clock } = await makeAuthority();
    const order = withExt({ iss: 'urn:other', iat: 1, exp: 9e9, jti: OTHER_JTI, sub: 'root', aud: 'urn:other' });
    const { token, claims } = await issueFor(context, order);
    expect(claims).toMatchObject({ iss: ISSUER, aud: [PARTY], iat: clock.now(), exp: clock.now() + 600 });
    expect(claims.jti).not.toBe(OTHER_JTI);
    expect(reasonIn(await verifyFor(context, token, { audience: 'urn:other' }))).toBe('AUDIENCE_MISMATCH');
  });
});

describe('T28: no token leaves under', () => {
  /** Answers of a signer that are no ES256 signature with the low s, made of a good one. */
  async function badAnswers(signer: Signer): Promise<readonly Uint8Array[]> {
    const good = Buffer.from(await signer.sign(Buffer.from('input'), endless));
    const lengths = Array.from({ length: 420 }, (_, length) => Buffer.alloc(length, good)).filter(
      ({ length }) => length !== 64,
    );
    const extremes = ['00', 'ff'].map((octet) => Buffer.from(octet.repeat(32), 'hex'));
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
    const outOfRange = [...extremes, order].flatMap((scalar) => [
      Buffer.concat([scalar, good.subarray(32)]),
      Buffer.concat([good.subarray(0, 32), scalar]),
    ]);
    const high = Array.from({ length: 60 }, (_, at) => {
      const answer = Buffer.from(good);
      answer[32] = 0x80 + at;
      return answer;
    });
    return [...lengths, ...outOfRange, ...high, rawToDer(good)];
  }

  test('any of 486 answers of a signer that are no signature, whether they come at once or later', async () => {
    const { context, signer: good } = await makeAuthority();
    const answers = await badAnswers(good);
    expect(answers).toHaveLength(486);
    for (const answer of answers) {
      for (const sign of [() => answer, async () => answer]) {
        const signers = { for: () => ({ jwk: good.jwk, sign }) };
        const order = { level: 'L3', requestId: 'k' } as const;
        expect(await reasonOf(issueFor({ ...context, signers }, order)), answer.toString()).toBe('SIGNER_BAD_OUTPUT');
      }
    }
    expect((await context.ledger.checkpoint()).size).toBe(0);
    // Nothing was remembered under the key either.
    expect(await reasonOf(issueFor(context, { requestId: 'k' }))).toBe('OK');
  });
});

describe('the issuer', () => {
  test('is the proven caller, and nobody else', async () => {
    const { context } = await makeAuthority();
    expect((await issueFor(context, {}, workload)).claims.iss).toBe('spiffe://example.org/a');
    expect((await issueFor(context, { iss: workload.id }, workload)).claims.iss).toBe('spiffe://example.org/a');
    for (const iss of ['spiffe://example.org/b', 'spiffe://example.org/a/b', ISSUER]) {
      expect(await reasonOf(issueFor(context, { iss }, workload)), iss).toBe('ISSUER_NOT_ALLOWED');
    }
  });

  test('T27: an anonymous caller has the service’s own name and those below it', async () => {
    const { context } = await makeAuthority();
    expect((await issueFor(context, { iss: `${ISSUER}:agent` })).claims.iss).toBe(`${ISSUER}:agent`);
    expect((await issueFor(context, { iss: `${ISSUER}/agent` })).claims.iss).toBe(`${ISSUER}/agent`);
    for (const iss of [
      'urn:ect:testing',
      'urn:ect',
      `${ISSUER}:`,
      `${ISSUER}/..`,
      `${ISSUER}/a/../../b`,
      workload.id,
    ]) {
      expect(await reasonOf(issueFor(context, { iss })), iss).toBe('ISSUER_NOT_ALLOWED');
    }
  });
});

describe('predecessors', () => {
  test('that are unknown are allowed at L2 and reported', async () => {
    const { context } = await makeAuthority();
    const { dag } = await issueFor(context, { pred: [OTHER_JTI] });
    expect(dag).toMatchObject({ status: 'partial', unresolved: [{ jti: OTHER_JTI }] });
  });

  test('that are unknown are rejected at L3, and nothing is recorded', async () => {
    const { context } = await makeAuthority();
    expect(await reasonOf(issueFor(context, { pred: [OTHER_JTI], level: 'L3' }))).toBe('DAG_PREDECESSOR_MISSING');
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('that are known are held to the rules at L2 too', async () => {
    const { context } = await makeAuthority();
    const elsewhere = await recordTask(context, { wid: OTHER_JTI });
    expect(await reasonOf(issueFor(context, { wid: WID, pred: [elsewhere] }))).toBe('DAG_WORKFLOW_MISMATCH');
  });

  test('a jti of one’s own must not name a recorded task', async () => {
    const { context } = await makeAuthority();
    await recordTask(context, { jti: JTI });
    expect(await reasonOf(issueFor(context, { jti: JTI }))).toBe('DAG_DUPLICATE_TASK');
    expect(await reasonOf(issueFor(context, { jti: JTI, wid: WID }))).toBe('OK');
  });
});

describe('L3', () => {
  test.each(['sync', 'async'] as const)(
    'recorded %s, a token names the ledger where that has a name',
    async (record) => {
      const { context } = await makeAuthority(undefined, { ledgerAudience: 'urn:ect:ledger' });
      const before = context.ledger.size;
      expect(await reasonOf(issueFor(context, { level: 'L3', record }))).toBe('AUDIENCE_MISMATCH');
      await context.recordings.drain();
      expect(context.ledger.size).toBe(before);
      await issueFor(context, { level: 'L3', record, aud: [PARTY, 'urn:ect:ledger'] });
      await context.recordings.drain();
      expect(context.ledger.size).toBe(before + 1);
      expect(await reasonOf(issueFor(context, { level: 'L2' }))).toBe('OK');
    },
  );

  test('answers with a receipt that verifies offline', async () => {
    const { context } = await makeAuthority();
    const { token, receipt } = await issueFor(context, { level: 'L3' });
    const { leaf, tlogProof } = receipt!;
    const content = Buffer.from(token);
    const { verifierKey } = context.ledger;
    expect(verifyReceipt({ leaf, tlogProof, verifierKey, content })).toEqual({ ok: true, index: 0, size: 1 });
    expect(openCheckpoint(receipt!.checkpoint, verifierKey)).toMatchObject({ ok: true, size: 1 });
  });

  test('no token leaves when the ledger fails for good', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    store.plan('lost', 'lost', 'lost');
    expect(await reasonOf(issueFor(context, { level: 'L3' }))).toBe('LEDGER_UNAVAILABLE');
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('a ledger that fails for a moment is asked again, and records once', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    store.plan('landed');
    const { receipt } = await issueFor(context, { level: 'L3' });
    expect(receipt).toMatchObject({ leafIndex: 0, treeSize: 1 });
  });
});
