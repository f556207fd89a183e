// K12: a key that is compromised since a time. Whichever way that is said, verdicts and graphs judge by one rule.

import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { adminService } from '../../src/api/admin.ts';
import { compromiseKey, MARK_SCOPE, markCompromised, validateDag } from '../../src/authority/index.ts';
import { keyMark } from '../../src/dag/index.ts';
import {
  ListKeysRequestSchema,
  ListKeysResponseSchema,
  RevokeKeyRequestSchema,
  RevokeKeyResponseSchema,
} from '../../src/gen/ect/v1/admin_pb.ts';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { share } from '../support/key-manager.ts';
import { KID, makeToken, NOW, signingKey, trust, WID } from '../support/tokens.ts';
import {
  ADMIN,
  around,
  asOfNow,
  CALL,
  expectOneRule,
  graphOf,
  MARK,
  process,
  REVOKE,
  task,
  type Verb,
} from './compromises.ts';
import { appendTo, endless, PARTY, reasonIn, reasonOf, verifyFor } from './support.ts';

describe.each<[string, readonly Verb[]]>([
  ['marked', [MARK]],
  ['revoked', [REVOKE]],
  ['marked and then revoked', [MARK, REVOKE]],
  ['revoked and then marked', [REVOKE, MARK]],
])('K12 a key that was %s', (_, verbs) => {
  test('K12 verdicts and graphs say the same of every token', async () => {
    const world = await process(share());
    const tokens = await around(world);
    for (const verb of verbs) await verb(world, tokens.kid, tokens.since);
    await expectOneRule(world, tokens);
  });

  test('and in another process, and after a restart', async () => {
    const shared = share();
    const [one, two] = [await process(shared), await process(shared)];
    const tokens = await around(one);
    for (const verb of verbs) await verb(one, tokens.kid, tokens.since);
    await two.keyManager.refresh();
    expect(await graphOf(two, { kind: 'workflow', wid: WID })).toEqual([
      tokens.late.claims.jti,
      tokens.after.claims.jti,
    ]);
    for (const each of [two, await process(shared)]) await expectOneRule(each, tokens);
  });
});

test('K12 a time that is stated later counts where it is earlier, and not where it is later', async () => {
  const world = await process(share());
  const tokens = await around(world);
  const revoke = async (since?: number) => {
    const { duplicate, key } = (await REVOKE(world, tokens.kid, since)) as {
      duplicate: boolean;
      key: { compromisedSince: { seconds: bigint } };
    };
    return [duplicate, Number(key.compromisedSince.seconds)];
  };
  const now = world.shared.clock.now();
  expect(await revoke()).toEqual([false, now]);
  expect(await graphOf(world, { kind: 'workflow', wid: WID })).toEqual([]);
  expect(await asOfNow(world, tokens.after.token)).toBe('VALID');
  expect(await revoke(tokens.since)).toEqual([false, tokens.since]);
  expect(await revoke(tokens.since)).toEqual([true, tokens.since]);
  expect(await revoke(tokens.since + 5)).toEqual([true, tokens.since]);
  expect(await revoke(now + 1_000)).toEqual([true, tokens.since]);
  await expectOneRule(world, tokens);
});

test('K12 a key says who moved its time last, why, and by which entry', async () => {
  const changes = { policy: { delegatedLifeMs: 3_600_000 } };
  const shared = share();
  const world = await process(shared, changes);
  shared.clock.advance(400);
  await world.keyManager.refresh();
  const { kid } = await task(world.context);
  const [root] = world.keyManager.all;
  expect(root?.kid).not.toBe(kid);
  const service = adminService(world.context, world.keyManager);
  const now = world.shared.clock.now();
  const revoke = (since: number, note: string) => {
    const compromisedSince = { seconds: BigInt(since), nanos: 0 };
    const request = create(RevokeKeyRequestSchema, { kid: root!.kid, note, compromisedSince });
    return service.procedures.revokeKey(request, CALL);
  };
  const said = async () => {
    const { keys } = create(
      ListKeysResponseSchema,
      await service.procedures.listKeys(create(ListKeysRequestSchema), CALL),
    );
    return keys
      .filter(({ key }) => [root?.kid, kid].includes(key?.kid))
      .map(({ note, changedBy, entryIndex, compromisedSince }) => [
        note,
        changedBy,
        Number(entryIndex),
        Number(compromisedSince?.seconds),
      ]);
  };
  for (const [since, note] of [
    [now, 'lost'],
    [now - 10, 'stolen'],
    [now - 20, 'and long ago'],
  ] as const) {
    const answer = create(RevokeKeyResponseSchema, await revoke(since, note));
    const entry = (await world.ledger.checkpoint()).size - 1;
    expect(answer.key).toMatchObject({ note, changedBy: ADMIN.id, entryIndex: BigInt(entry) });
    const [ofRoot, ofDelegated] = await said();
    expect(ofRoot).toEqual([note, ADMIN.id, entry, since]);
    expect(ofDelegated?.[0]).toBe(note);
    expect(ofDelegated?.[3]).toBe(since);
  }
  // A duplicate changes nothing, its note neither.
  await revoke(now, 'again');
  expect((await said())[0]?.[0]).toBe('and long ago');
});

test('K12 a root key takes the keys with it that it certified, in graphs as in verdicts', async () => {
  const changes = { policy: { delegatedLifeMs: 3_600_000 } };
  const shared = share();
  const world = await process(shared, changes);
  shared.clock.advance(400);
  await world.keyManager.refresh();
  const tokens = await around(world);
  const root = world.keyManager.all[0]!;
  expect(tokens.kid).not.toBe(root.kid);
  await MARK(world, root.kid, tokens.since);
  await expectOneRule(world, tokens);
  expect(await graphOf(await process(shared, changes), { kind: 'workflow', wid: WID })).toEqual([
    tokens.late.claims.jti,
    tokens.after.claims.jti,
  ]);
});

test('K12 a key of the service that is marked signs no more, and one that is none of it cannot be revoked', async () => {
  const world = await process(share());
  const { kid } = await task(world.context);
  await MARK(world, kid, undefined);
  expect(world.keyManager.all[0]?.state).toBe('revoked');
  expect(await reasonOf(task(world.context))).toBe('SIGNER_UNAVAILABLE');
  const size = (await world.ledger.checkpoint()).size;
  expect(await reasonOf(REVOKE(world, 'x'.repeat(43), undefined) as Promise<unknown>)).toBe('KEY_NOT_FOUND');
  expect((await world.ledger.checkpoint()).size).toBe(size);
});

test('K12 a mark that was recorded without the end of its key is made up for by the same call', async () => {
  const world = await process(share());
  const tokens = await around(world);
  const { isEnded } = await compromiseKey(
    { ...world.context, ownKeys: undefined },
    { caller: ADMIN, action: 'RevokeKey', policy: 'built-in' },
    { kid: tokens.kid, sinceMs: tokens.since * 1000, note: '' },
    endless.signal,
  );
  expect([isEnded, world.keyManager.all[0]?.state]).toEqual([false, 'active']);
  expect(await asOfNow(world, tokens.after.token)).toBe('KEY_REVOKED');
  expect(await REVOKE(world, tokens.kid, tokens.since)).toMatchObject({ duplicate: false });
  expect(world.keyManager.all[0]?.state).toBe('revoked');
});

describe('K12 a foreign key', () => {
  async function foreign(state: Partial<TrustedKey> = {}) {
    const { context, clock } = await makeAuthority();
    const keys = new KeyRing([trust(signingKey, state)]);
    const token = makeToken({ aud: [PARTY], wid: WID });
    return { parts: { ...context, keys }, clock, token, kid: KID };
  }

  test('is marked by its id alone: its tokens are rejected, and what was recorded before stays sound', async () => {
    const { parts, clock, token, kid } = await foreign();
    await appendTo(parts, token);
    clock.advance(5);
    const mark = { subject: { kind: 'key', kid, sinceMs: undefined }, note: '' } as const;
    await markCompromised(parts, ADMIN, mark, endless.signal);
    expect(reasonIn(await verifyFor(parts, token))).toBe('KEY_REVOKED');
    expect(reasonIn(await verifyFor(parts, token, { asOf: clock.now() }))).toBe('VALID');
    const answer = await validateDag(parts, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({ report: { tainted: [] } });
  });

  test('that is revoked in the trust file is judged by the same rule', async () => {
    const { parts, clock, token } = await foreign({ revokedAt: NOW + 5 });
    await appendTo(parts, token);
    clock.advance(5);
    expect(reasonIn(await verifyFor(parts, token))).toBe('KEY_REVOKED');
    expect(reasonIn(await verifyFor(parts, token, { asOf: NOW + 5 }))).toBe('VALID');
  });

  test('with a mark from before times were stated has nothing that is sound', async () => {
    const { parts, clock, token, kid } = await foreign();
    await appendTo(parts, token);
    await parts.ledger.append({
      scope: MARK_SCOPE,
      name: keyMark(kid),
      author: ADMIN.id,
      digest: Buffer.alloc(32),
      content: Buffer.from('{}'),
      leaf: ({ recordedAtMs, commitment }) =>
        Buffer.from(JSON.stringify({ commitment, iss: ADMIN.id, kid, recorded_at: recordedAtMs, type: 'taint', v: 1 })),
    });
    const answer = await validateDag(parts, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({ report: { tainted: [{ source: 'key', kid }] } });
    expect(reasonIn(await verifyFor(parts, token, { asOf: clock.now() }))).toBe('KEY_REVOKED');
  });
});
