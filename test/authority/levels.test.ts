// Levels: what is made at each, what is taken, and what is counted.

import { describe, expect, test } from 'vitest';
import { type AuthorityPolicy, validateDag } from '../../src/authority/index.ts';
import type { Level } from '../../src/token/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { OTHER_JTI, policy as token, WID } from '../support/tokens.ts';
import { appendTo, endless, issueFor, PARTY, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

function taking(minimumLevel: Level, byAction: Readonly<Record<string, Level>> = {}): Partial<AuthorityPolicy> {
  return { token: { ...token, minimumLevel, minimumLevels: new Map(Object.entries(byAction)) } };
}

const skip = { replay: 'skip' } as const;

describe('an unsigned object (L1)', () => {
  test('is the claims as compact JSON, without a key, and is read where the policy takes it', async () => {
    const { context, clock } = await makeAuthority(undefined, taking('L1'));
    const { token: object, level, kid, receipt } = await issueFor(context, { level: 'L1', wid: WID });
    expect({ level, kid, receipt }).toEqual({ level: 'L1', kid: '', receipt: undefined });
    expect(JSON.parse(object)).toMatchObject({ iss: ISSUER, aud: [PARTY], iat: clock.now(), wid: WID, pred: [] });
    expect(object).toBe(JSON.stringify(JSON.parse(object)));
    const verdict = await verifyFor(context, object);
    expect(verdict).toMatchObject({ rejection: undefined, level: 'L1', token: { kid: '', claims: { wid: WID } } });
    const encoded = Buffer.from(object).toString('base64url');
    expect(await verifyFor(context, encoded, skip)).toMatchObject({ rejection: undefined, level: 'L1' });
  });

  test('is rejected by default, and that is counted', async () => {
    const { context, noticed } = await makeAuthority();
    const { token: object } = await issueFor(context, { level: 'L1' });
    const verdict = await verifyFor(context, object);
    expect(verdict).toMatchObject({
      rejection: { reason: 'LEVEL_TOO_LOW', metadata: { minimum: 'L2' } },
      token: undefined,
    });
    expect(noticed).toEqual([{ event: 'level rejected', minimum: 'L2' }]);
  });

  test('that was issued under a request id is answered again', async () => {
    const { context } = await makeAuthority();
    const order = { level: 'L1', requestId: 'k' } as const;
    const first = await issueFor(context, order);
    expect(await issueFor(context, order)).toEqual(first);
    expect((await issueFor(context, { ...order, level: 'L2' })).token).not.toBe(first.token);
  });

  test('R1: is used once like any token', async () => {
    const { context } = await makeAuthority(undefined, taking('L1'));
    const { token: object } = await issueFor(context, { level: 'L1' });
    expect(reasonIn(await verifyFor(context, object))).toBe('VALID');
    expect(reasonIn(await verifyFor(context, object))).toBe('TOKEN_REPLAYED');
  });

  test('is never recorded, whatever level verifiers take', async () => {
    const { context } = await makeAuthority(undefined, taking('L1'));
    const { token: object } = await issueFor(context, { level: 'L1' });
    expect(await reasonOf(appendTo(context, object))).toBe('LEVEL_TOO_LOW');
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('is judged by ValidateDAG where the policy takes it, and lowers the level of the path', async () => {
    const { context } = await makeAuthority(undefined, taking('L1'));
    const { token: root, claims } = await issueFor(context, { wid: WID });
    const { token: object } = await issueFor(context, { level: 'L1', wid: WID, jti: OTHER_JTI });
    const bundle = await validateDag(context, { kind: 'bundle', tokens: [root, object] }, endless);
    expect(bundle).toMatchObject({ report: { status: 'complete', size: 2, pathLevel: 'L1', violations: [] } });
    const alone = await validateDag(context, { kind: 'token', token: object, predecessors: [] }, endless);
    expect(alone).toMatchObject({ report: { status: 'complete', pathLevel: 'L1' } });
    const signed = await validateDag(context, { kind: 'bundle', tokens: [root] }, endless);
    expect(signed).toMatchObject({ report: { roots: [{ jti: claims.jti }], pathLevel: 'L2' } });
    const strict = { ...context, policy: { ...context.policy, ...taking('L2') } };
    for (const subject of [
      { kind: 'bundle', tokens: [root, object] },
      { kind: 'token', token: object, predecessors: [] },
    ] as const) {
      expect(await validateDag(strict, subject, endless)).toMatchObject({ rejection: { reason: 'LEVEL_TOO_LOW' } });
    }
  });

  test('T11: a signed token that fails is never taken for one', async () => {
    const { context } = await makeAuthority(undefined, taking('L1'));
    const { token: signed } = await issueFor(context);
    expect(reasonIn(await verifyFor(context, `${signed.slice(0, -8)}AAAAAAAA`))).toBe('SIGNATURE_INVALID');
    const [, payload] = signed.split('.');
    expect(reasonIn(await verifyFor(context, `.${payload}.`))).toBe('TOKEN_MALFORMED');
  });

  test('T15: is bounded like any token', async () => {
    const { context } = await makeAuthority();
    const aud = Array.from({ length: 64 }, (_, at) => `urn:${'x'.repeat(300)}:${at}`);
    expect(await reasonOf(issueFor(context, { level: 'L1', aud }))).toBe('TOKEN_TOO_LARGE');
  });
});

describe('the minimum level', () => {
  test.each<[policy: Partial<AuthorityPolicy>, asked: Level | undefined, made: Level, reason: string]>([
    [taking('L1'), undefined, 'L1', 'VALID'],
    [taking('L1'), 'L2', 'L1', 'LEVEL_TOO_LOW'],
    [taking('L1'), 'L2', 'L2', 'VALID'],
    [taking('L2'), 'L1', 'L1', 'LEVEL_TOO_LOW'],
    [taking('L2'), 'L1', 'L2', 'VALID'],
    [taking('L2'), 'L3', 'L2', 'LEVEL_TOO_LOW'],
    [taking('L3'), undefined, 'L2', 'LEVEL_TOO_LOW'],
    [taking('L3'), 'L1', 'L2', 'LEVEL_TOO_LOW'],
    [taking('L3'), undefined, 'L3', 'VALID'],
    [taking('L2', { review_spec: 'L1' }), undefined, 'L1', 'VALID'],
    [taking('L3', { review_spec: 'L1' }), undefined, 'L1', 'VALID'],
    [taking('L2', { review_spec: 'L3' }), undefined, 'L2', 'LEVEL_TOO_LOW'],
    [taking('L2', { review_spec: 'L3' }), undefined, 'L3', 'VALID'],
    [taking('L3', { other: 'L1' }), undefined, 'L2', 'LEVEL_TOO_LOW'],
  ])('%#: what a caller asks for can only be stricter', async (policy, minimumLevel, level, reason) => {
    const { context } = await makeAuthority(undefined, policy);
    const made = await issueFor(context, { level });
    expect(reasonIn(await verifyFor(context, made.token, { minimumLevel, ...skip }))).toBe(reason);
  });

  test('of L3 looks the token up, so that its level is said', async () => {
    const { context, noticed } = await makeAuthority(undefined, taking('L2', { execute_trade: 'L3' }));
    const trade = await issueFor(context, { execAct: 'execute_trade' });
    expect(reasonIn(await verifyFor(context, trade.token, skip))).toBe('LEVEL_TOO_LOW');
    expect(noticed).toEqual([{ event: 'level rejected', minimum: 'L3' }]);
    await appendTo(context, trade.token);
    expect(await verifyFor(context, trade.token, skip)).toMatchObject({ rejection: undefined, level: 'L3' });
  });

  test('does not stand in the way of recording', async () => {
    const { context } = await makeAuthority(undefined, taking('L3'));
    const pred = await recordTask(context);
    expect(await reasonOf(issueFor(context, { level: 'L3', pred: [pred] }))).toBe('OK');
  });
});
