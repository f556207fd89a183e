// The ways in which a key is said to be compromised, and the one rule by which verdicts and graphs judge it.

import { create } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { adminService } from '../../src/api/admin.ts';
import { type AuthorityContext, type Issued, markCompromised, validateDag } from '../../src/authority/index.ts';
import { RevokeKeyRequestSchema } from '../../src/gen/ect/v1/admin_pb.ts';
import { ISSUER } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import {
  contextOf,
  type KeyManagerChanges,
  openKeyManager,
  type Shared,
  type TestKeyManager,
} from '../support/key-manager.ts';
import { WID } from '../support/tokens.ts';
import { appendTo, endless, issueFor, reasonIn, reasonOf, verifyFor } from './support.ts';

export const ADMIN = workload('spiffe://example.com/admin');
export const CALL = { method: 'test', caller: ADMIN, signal: endless.signal, note: () => undefined } as const;

export interface World extends TestKeyManager {
  readonly shared: Shared;
  readonly context: AuthorityContext;
}

/** One process of an authority whose keys are of the key manager. */
export async function process(shared: Shared, changes?: KeyManagerChanges): Promise<World> {
  const opened = await openKeyManager(shared, changes);
  return { ...opened, shared, context: await contextOf(shared, opened) };
}

export const task = (context: AuthorityContext, pred: readonly string[] = []) =>
  issueFor(context, { wid: WID, pred, iss: ISSUER, ttlSeconds: 3000 });

/** Tokens of one key around the second from which on it is compromised. */
export async function around({ context, shared }: World) {
  const before = await task(context);
  await appendTo(context, before.token);
  const late = await task(context);
  shared.clock.advance(10);
  const since = shared.clock.now();
  shared.clock.advance(10);
  // Issued before, recorded after: what it says of its own time is no witness.
  await appendTo(context, late.token);
  const after = await task(context, [before.claims.jti]);
  await appendTo(context, after.token);
  const nowhere = await task(context, [before.claims.jti]);
  shared.clock.advance(10);
  return { before, late, after, nowhere, since, kid: before.kid };
}

export type Verb = (world: World, kid: string, since: number | undefined) => Promise<unknown>;
export const MARK: Verb = ({ context }, kid, since) =>
  markCompromised(
    context,
    ADMIN,
    { subject: { kind: 'key', kid, sinceMs: since === undefined ? undefined : since * 1000 }, note: 'stolen' },
    endless.signal,
  );
export const REVOKE: Verb = async ({ context, keyManager }, kid, since) => {
  const at = since === undefined ? {} : { compromisedSince: { seconds: BigInt(since), nanos: 0 } };
  return adminService(context, keyManager).procedures.revokeKey(create(RevokeKeyRequestSchema, { kid, ...at }), CALL);
};

export const asOfNow = async ({ context, shared }: World, token: string) =>
  reasonIn(await verifyFor(context, token, { asOf: shared.clock.now(), dag: 'none' }));
export const graphOf = async ({ context }: World, subject: Parameters<typeof validateDag>[1]) => {
  const answer = await validateDag(context, subject, endless);
  return 'rejection' in answer ? answer.rejection.reason : answer.report.tainted.map(({ task }) => task.jti);
};

export async function expectOneRule(world: World, tokens: Awaited<ReturnType<typeof around>>): Promise<void> {
  const { before, late, after, nowhere, since } = tokens;
  const { context } = world;
  const tainted = await graphOf(world, { kind: 'workflow', wid: WID });
  expect(tainted).toEqual([late.claims.jti, after.claims.jti]);
  const each: readonly [Issued, boolean][] = [
    [before, true],
    [late, false],
    [after, false],
    [nowhere, false],
  ];
  for (const [{ token, claims }, isSound] of each) {
    expect(reasonIn(await verifyFor(context, token, { replay: 'skip' }))).toBe('KEY_REVOKED');
    expect(await asOfNow(world, token)).toBe(isSound ? 'VALID' : 'KEY_REVOKED');
    const alone = await graphOf(world, { kind: 'token', token, predecessors: [] });
    expect(alone).toEqual(isSound ? [] : 'KEY_REVOKED');
    expect(await graphOf(world, { kind: 'bundle', tokens: [token] })).toEqual(isSound ? [] : 'KEY_REVOKED');
    expect(tainted.includes(claims.jti)).toBe(!isSound && claims.jti !== nowhere.claims.jti);
  }
  // What is there is answered to who appends it again; nothing more of the key is taken in.
  expect((await appendTo(context, after.token)).duplicate).toBe(true);
  expect(await reasonOf(appendTo(context, nowhere.token))).toBe('KEY_REVOKED');
  // Who judges as of an earlier time vouches that the token was there by then.
  const evidence = await verifyFor(context, nowhere.token, { asOf: since - 1, dag: 'partial' });
  expect([reasonIn(evidence), evidence.dag?.tainted]).toEqual(['VALID', []]);
  const early = await verifyFor(context, late.token, { asOf: since - 1, dag: 'complete' });
  expect([reasonIn(early), early.dag?.tainted]).toEqual(['VALID', []]);
  // What follows is issued, by a key that is sound.
  await world.keyManager.rotate({ nextKey: '', urgent: true, by: 'admin', note: '' });
  const child = await task(context, [before.claims.jti]);
  expect(child.dag?.tainted).toEqual([]);
  const other = await task(context, [after.claims.jti]);
  expect(other.dag?.tainted.map(({ task, source }) => [task.jti, source])).toEqual([
    [other.claims.jti, 'ancestor'],
    [after.claims.jti, 'key'],
  ]);
  const along = { dag: 'complete', replay: 'skip', predecessors: [before.token] } as const;
  expect(reasonIn(await verifyFor(context, child.token, along))).toBe('VALID');
  expect(reasonIn(await verifyFor(context, child.token, { ...along, predecessors: [nowhere.token] }))).toBe(
    'KEY_REVOKED',
  );
}
