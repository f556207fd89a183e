// What the descriptors promise of each method holds: whether it may be called again, and how large its answer can become.

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { METHODS } from '../../scripts/api-methods.ts';
import { adminService } from '../../src/api/admin.ts';
import { authorityService } from '../../src/api/authority.ts';
import { keyService } from '../../src/api/keys.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import { type AnyService, accessOf, type Call } from '../../src/calls/call.ts';
import { MAX_ANSWER_BYTES } from '../../src/calls/message-limits.ts';
import { methodTable } from '../../src/calls/method-table.ts';
import {
  AdminService,
  ListKeysRequestSchema,
  ListKeysResponseSchema,
  MarkCompromisedRequestSchema,
  RetireKeyRequestSchema,
  RevokeKeyRequestSchema,
} from '../../src/gen/ect/v1/admin_pb.ts';
import {
  AppendLedgerRequestSchema,
  AuthorityService,
  BatchAppendLedgerRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { GetKeySetRequestSchema, GetKeySetResponseSchema, KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { issueFor } from '../authority/support.ts';
import { contextOf, makeLocalSigner, openKeyManager, share } from '../support/key-manager.ts';

const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => undefined,
};
const methods = [AuthorityService, LedgerService, KeyService, AdminService].flatMap((service) => service.methods);

async function services(more = {}) {
  const shared = share();
  const opened = await openKeyManager(shared, more);
  const { keyManager } = opened;
  const parts = await contextOf(shared, opened);
  const [authority, records] = [authorityService(parts), ledgerService(parts)];
  const [keys, admin] = [keyService(parts, keyManager), adminService(parts, keyManager)];
  return { shared, parts, keyManager, authority, records, keys, admin };
}

/** Methods that change something, and what a second call of the same request does. */
const CHANGES: Readonly<Record<string, 'adds nothing' | 'is another order'>> = {
  Issue: 'is another order',
  BatchIssue: 'is another order',
  Verify: 'is another order',
  BatchVerify: 'is another order',
  AppendLedger: 'adds nothing',
  BatchAppendLedger: 'adds nothing',
  MarkCompromised: 'adds nothing',
  RotateKey: 'is another order',
  RetireKey: 'adds nothing',
  RevokeKey: 'adds nothing',
};

test('the API page says who may call each method', async () => {
  const { authority, records, keys } = await services();
  for (const service of [authority, records, keys] as readonly AnyService[]) {
    for (const { name, localName } of service.descriptor.methods) {
      expect([name, METHODS[name]?.caller]).toEqual([name, accessOf(service, localName)]);
    }
  }
});

describe('a method is marked as it is', () => {
  test.each(methods.map((method) => [method.name, method] as const))('%s', (name, { idempotency }) => {
    const change = CHANGES[name];
    if (change === undefined) expect(idempotency).toBe(Level.NO_SIDE_EFFECTS);
    else expect(idempotency).toBe(change === 'adds nothing' ? Level.IDEMPOTENT : Level.IDEMPOTENCY_UNKNOWN);
  });

  test('what is marked idempotent adds nothing when it is called again, and answers the same', async () => {
    const { parts, keyManager, authority, admin } = await services({ policy: { delegatedLifeMs: undefined } });
    const { token } = await issueFor(parts);
    const { kid } = keyManager.all[0]!;
    await keyManager.rotate({ nextKey: '', urgent: true, by: 'admin', note: '' });
    await keyManager.refresh();
    const calls: Readonly<Record<string, () => unknown>> = {
      AppendLedger: () => authority.procedures.appendLedger(create(AppendLedgerRequestSchema, { token }), CALL),
      BatchAppendLedger: () =>
        authority.procedures.batchAppendLedger(
          create(BatchAppendLedgerRequestSchema, { items: [{ request: { token } }] }),
          CALL,
        ),
      RetireKey: () => admin.procedures.retireKey(create(RetireKeyRequestSchema, { kid }), CALL),
      RevokeKey: () => admin.procedures.revokeKey(create(RevokeKeyRequestSchema, { kid }), CALL),
      MarkCompromised: () =>
        admin.procedures.markCompromised(
          create(MarkCompromisedRequestSchema, { subject: { case: 'kid', value: 'foreign' } }),
          CALL,
        ),
    };
    const marked = methods.filter(({ idempotency }) => idempotency === Level.IDEMPOTENT).map(({ name }) => name);
    expect(Object.keys(calls).toSorted()).toEqual(marked.toSorted());
    for (const [name, call] of Object.entries(calls)) {
      await call();
      const { size } = await parts.ledger.checkpoint();
      const [second, third] = [await call(), await call()];
      expect((await parts.ledger.checkpoint()).size, name).toBe(size);
      expect(third, name).toEqual(second);
    }
  });
});

/** Methods whose answers hold one thing of bounded size: a token, an entry with its receipt, a key, a checkpoint, a proof. */
const SMALL = [
  'GetAuthority',
  'Issue',
  'Verify',
  'AppendLedger',
  'GetEntry',
  'GetRecording',
  'GetCheckpoint',
  'GetInclusionProof',
  'GetConsistencyProof',
  'MarkCompromised',
  'RotateKey',
  'RetireKey',
  'RevokeKey',
];

describe('H24 the size of an answer is bounded before the work', () => {
  test('H24 of every method that answers lists, on every transport, since calls are performed in one place', async () => {
    const { authority, records, keys, admin } = await services();
    const table = methodTable([authority, records, keys, admin] as readonly AnyService[]);
    const unbounded = [...table.values()]
      .filter(({ service, descriptor }) => service.answerBytes?.[descriptor.localName] === undefined)
      .map(({ descriptor }) => descriptor.name);
    expect(unbounded.toSorted()).toEqual(SMALL.toSorted());
  });

  test('H24 a page of keys is within its room, whatever is in it, and the pages together are all keys', async () => {
    // A locator is a text that another party chooses: longer than any that is taken today.
    const far = 'x'.repeat(5_000);
    const { keyManager, admin } = await services({
      ports: {
        makeRoot: async (number: number) => ({ signer: await makeLocalSigner(), locator: `test:${number}${far}` }),
      },
    });
    const note = '😀'.repeat(256);
    for (let at = 0; at < 85; at++) await keyManager.rotate({ nextKey: '', urgent: true, by: 'admin', note });
    for (const [pageSize, past] of [
      [0, false],
      [0, true],
      [80, false],
      [80, true],
      [30, true],
    ] as const) {
      const kids: string[] = [];
      let [pageToken, pages] = ['', 0];
      do {
        const request = create(ListKeysRequestSchema, { pageSize, pageToken, past });
        const bound = await admin.answerBytes?.listKeys?.(request, CALL);
        const answer = (await admin.procedures.listKeys(request, CALL)) as MessageInitShape<
          typeof ListKeysResponseSchema
        >;
        const bytes = toBinary(ListKeysResponseSchema, create(ListKeysResponseSchema, answer)).length;
        expect(bytes).toBeLessThanOrEqual(bound ?? 0);
        expect(bound).toBeLessThan(MAX_ANSWER_BYTES);
        kids.push(...(answer.keys ?? []).map(({ key }) => key?.kid ?? ''));
        pageToken = answer.nextPageToken ?? '';
        pages++;
      } while (pageToken !== '');
      expect(kids).toEqual(keyManager.all.map(({ kid }) => kid));
      expect(pages).toBeGreaterThan(pageSize === 0 ? 0 : 1);
    }
  });

  test('H24 a key set is as large as was reserved for it, at most', async () => {
    const { keyManager, keys } = await services({ policy: { delegatedLifeMs: 3_600_000 } });
    const request = create(GetKeySetRequestSchema);
    for (let at = 0; at < 20; at++) {
      const bound = (await keys.answerBytes?.getKeySet?.(request, CALL)) ?? 0;
      const answer = (await keys.procedures.getKeySet(request, CALL)) as MessageInitShape<
        typeof GetKeySetResponseSchema
      >;
      const bytes = toBinary(GetKeySetResponseSchema, create(GetKeySetResponseSchema, answer)).length;
      expect(bytes).toBeLessThanOrEqual(bound);
      expect(bound).toBeLessThan(3 * bytes);
      await keyManager.rotate({ nextKey: '', urgent: true, by: 'admin', note: '' });
    }
  });
});
