// Draft -00: made for peers that still run it, and read like any token.

import { describe, expect, test } from 'vitest';
import { makeAuthority } from '../support/authority.ts';
import { policy as token, WID } from '../support/tokens.ts';
import { appendTo, issueFor, reasonIn, reasonOf, recordTask, verifyFor } from './support.ts';

const HASH = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg';
const older = { draft: '00' } as const;

function read(text: string): readonly [header: Record<string, unknown>, payload: Record<string, unknown>] {
  const [header, payload] = text.split('.').map((part) => JSON.parse(Buffer.from(part, 'base64url').toString() || '0'));
  return [header, payload];
}

/** `JSON.parse` of a signature would fail, so only the first two parts are read. */
const partsOf = (text: string) => read(text.split('.').slice(0, 2).join('.'));

describe('draft -00', () => {
  test('has its own names, prefixed hashes and policy claims at the top', async () => {
    const { context } = await makeAuthority();
    const pred = await recordTask(context, { wid: WID });
    const value = { pol: 'policy_v1', pol_decision: 'approved', pol_enforcer: 'urn:e', 'com.example.n': 1 };
    const ext = { value, text: JSON.stringify(value) };
    const order = { ...older, wid: WID, pred: [pred], inpHash: HASH, outHash: HASH, ext };
    const { token: text, claims } = await issueFor(context, order);
    const [header, payload] = partsOf(text);
    expect(header['typ']).toBe('wimse-exec+jwt');
    expect(payload).toMatchObject({
      par: [pred],
      inp_hash: `sha-256:${HASH}`,
      out_hash: `sha-256:${HASH}`,
      ext: { 'com.example.n': 1 },
      pol: 'policy_v1',
      pol_decision: 'approved',
      pol_enforcer: 'urn:e',
    });
    expect(payload).not.toHaveProperty('pred');
    expect(payload).not.toHaveProperty('ect_ext');
    expect(claims).toMatchObject({ pred: [pred], inp_hash: HASH });
    const verdict = await verifyFor(context, text, { dag: 'complete', inputHash: HASH });
    expect(verdict).toMatchObject({ rejection: undefined, token: { draft: '00', claims: { pred: [pred] } } });
    expect(verdict.token?.claims.policy).toMatchObject({ pol: 'policy_v1', decision: 'approved', enforcer: 'urn:e' });
  });

  test('is recorded as it was made, and synchronous L3 has its receipt', async () => {
    const { context } = await makeAuthority();
    const { token: text, level, receipt } = await issueFor(context, { ...older, level: 'L3' });
    expect([level, receipt?.leafIndex]).toEqual(['L3', 0]);
    const { duplicate, record } = await appendTo(context, text);
    expect([duplicate, Buffer.from(record.content!).toString()]).toEqual([true, text]);
  });

  test('under a request id is the same token again', async () => {
    const { context } = await makeAuthority();
    const keyed = { ...older, requestId: 'k' };
    const { token: text } = await issueFor(context, keyed);
    expect((await issueFor(context, keyed)).token).toBe(text);
    expect((await issueFor(context, { requestId: 'k' })).token).not.toBe(text);
  });

  test('that is switched off is neither made nor read', async () => {
    const only = (draft: '00' | '01') => makeAuthority(undefined, { token: { ...token, drafts: [draft] } });
    const [newer, olderOnly] = [await only('01'), await only('00')];
    expect(await reasonOf(issueFor(newer.context, older))).toBe('REQUEST_INVALID');
    expect(await reasonOf(issueFor(olderOnly.context))).toBe('REQUEST_INVALID');
    const { token: text } = await issueFor(olderOnly.context, older);
    expect(reasonIn(await verifyFor(olderOnly.context, text))).toBe('VALID');
    const both = { ...newer.context, keys: olderOnly.context.keys };
    expect(reasonIn(await verifyFor(both, text))).toBe('CLAIM_INVALID');
  });
});
