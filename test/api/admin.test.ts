// ect.v1.AdminService: marks of what is compromised, and lists of keys.

import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { adminService } from '../../src/api/admin.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import type { AuthorityContext } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import { methodTable } from '../../src/calls/method-table.ts';
import { EctError, reject } from '../../src/errors.ts';
import {
  AdminService,
  ListKeysRequestSchema,
  ListKeysResponseSchema,
  type MarkCompromisedRequest,
  MarkCompromisedRequestSchema,
  RotateKeyRequestSchema,
} from '../../src/gen/ect/v1/admin_pb.ts';
import { GetEntryRequestSchema, GetEntryResponseSchema, ReceiptFormat } from '../../src/gen/ect/v1/ledger_pb.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { recordTask } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { share, startKeyManager } from '../support/key-manager.ts';
import { JTI, KID, signingKey, trust, WID } from '../support/tokens.ts';

const ADMIN = 'spiffe://example.com/admin';
const call: Call = {
  method: 'test',
  caller: workload(ADMIN),
  signal: new AbortController().signal,
  note() {},
};

async function makeAdmin() {
  const { context } = await makeAuthority();
  const { keyManager } = await startKeyManager(share());
  return { context, keyManager, client: clientOf(context, keyManager) };
}

/** The service as a client of it, without a wire. */
function clientOf(context: AuthorityContext, keyManager: Parameters<typeof adminService>[1]) {
  const { markCompromised, listKeys, rotateKey } = adminService(context, keyManager).procedures;
  const mark = async (subject: MarkCompromisedRequest['subject'], note = 'n') =>
    markCompromised(create(MarkCompromisedRequestSchema, { subject, note }), call);
  return {
    markKey: (kid: string, note?: string) => mark({ case: 'kid', value: kid }, note),
    markTask: (jti: string, wid = '') => mark({ case: 'task', value: { $typeName: 'ect.v1.TaskName', jti, wid } }),
    markNothing: () => mark({ case: undefined }),
    markAsText: async (kid: string) => {
      const receiptFormat = ReceiptFormat.TLOG_PROOF;
      const subject = { case: 'kid', value: kid } as const;
      return markCompromised(create(MarkCompromisedRequestSchema, { subject, receiptFormat }), call);
    },
    keys: async (fields: { past?: boolean; pageSize?: number; pageToken?: string }) =>
      create(ListKeysResponseSchema, await listKeys(create(ListKeysRequestSchema, fields), call)),
    rotate: async (fields: Parameters<typeof create<typeof RotateKeyRequestSchema>>[1] = {}) =>
      rotateKey(create(RotateKeyRequestSchema, fields), call),
  };
}

test('every method is for administrators, and no other service has one', async () => {
  const { context, keyManager } = await makeAdmin();
  const methods = [...methodTable([adminService(context, keyManager), ledgerService(context)]).values()];
  const ofAdministrators = methods.filter(({ access }) => access === 'admin').map(({ name }) => name);
  expect(ofAdministrators).toEqual(AdminService.methods.map(({ name }) => `ect.v1.AdminService/${name}`));
});

test('a mark is shown as what it is: its subject, who made it and what was stated', async () => {
  const { context, client } = await makeAdmin();
  await recordTask(context, { jti: JTI });
  const { entry, receipt, duplicate } = await client.markTask(JTI);
  expect(duplicate).toBe(false);
  const value = { subject: { case: 'task', value: { jti: JTI, wid: '' } }, statedBy: ADMIN };
  expect(entry).toMatchObject({ index: 1n, body: { case: 'taint', value } });
  const statement = entry?.body?.case === 'taint' ? (entry.body.value.statement ?? '') : '';
  expect(JSON.parse(statement)).toEqual({ subject: { kind: 'task', jti: JTI, wid: '' }, note: 'n', by: ADMIN });
  const name = { case: 'index', value: 1n } as const;
  const found = await ledgerService(context).procedures.getEntry(create(GetEntryRequestSchema, { name }), call);
  const written = (answer: object) => toBinary(GetEntryResponseSchema, create(GetEntryResponseSchema, answer));
  expect(written(found)).toEqual(written({ ...(entry && { entry }), ...(receipt && { receipt }) }));
  expect(await client.markTask(JTI)).toMatchObject({ entry: { index: 1n }, duplicate: true });
});

test('the response says whether the ledger has the marked task, and whether the service has a key with the marked id', async () => {
  const { context, keyManager, client } = await makeAdmin();
  await recordTask(context, { jti: JTI, wid: WID });
  expect(await client.markTask(JTI, WID)).toMatchObject({ subjectKnown: true });
  expect(await client.markTask(JTI)).toMatchObject({ subjectKnown: false });
  const keys = new KeyRing([trust(signingKey)]);
  const withKey = clientOf({ ...context, keys }, keyManager);
  expect(await withKey.markKey(KID)).toMatchObject({ subjectKnown: true });
  expect(await withKey.markKey('mistyped')).toMatchObject({ subjectKnown: false });
});

test('a mark counts although the search for its subject fails', async () => {
  const { context, keyManager } = await makeAdmin();
  const keys = new KeyRing([], async () => Promise.reject(new EctError(reject('LEDGER_CORRUPT', 'damaged', {}))));
  const marked = await clientOf({ ...context, keys }, keyManager).markKey('k');
  expect(marked).toMatchObject({ duplicate: false });
  expect(marked).not.toHaveProperty('subjectKnown');
});

test('the receipt of a mark has the requested form', async () => {
  const { client } = await makeAdmin();
  expect((await client.markKey('k')).receipt?.proof?.case).toBe('inclusion');
  expect((await client.markAsText('k')).receipt?.proof?.case).toBe('tlogProof');
});

test.each([
  ['', 'kid'],
  ['k'.repeat(257), 'kid'],
  ['k\u0000', 'kid'],
])('the kid %j cannot be marked', async (kid, field) => {
  const { client } = await makeAdmin();
  await expect(client.markKey(kid)).rejects.toMatchObject({ reason: 'REQUEST_INVALID', metadata: { field } });
});

test('a note has at most 256 characters, none of them a control character', async () => {
  const { client } = await makeAdmin();
  for (const note of ['x'.repeat(257), 'a\nb', '\uD800']) {
    await expect(client.markKey('k', note)).rejects.toMatchObject({ metadata: { field: 'note' } });
  }
  expect(await client.markKey('k', '\u{1F600}'.repeat(256))).toMatchObject({ duplicate: false });
});

test('a task is marked by ids that the service accepts in tokens', async () => {
  const { context, keyManager, client } = await makeAdmin();
  await expect(client.markTask('T1')).rejects.toMatchObject({ metadata: { field: 'task.jti' } });
  await expect(client.markTask(JTI, 'w')).rejects.toMatchObject({ metadata: { field: 'task.wid' } });
  const token = { ...context.policy.token, ids: 'text' as const };
  const lenient = clientOf({ ...context, policy: { ...context.policy, token } }, keyManager);
  await expect(lenient.markTask('ü')).rejects.toMatchObject({ metadata: { field: 'task.jti' } });
  const value = { subject: { value: { jti: 'T1', wid: 'w' } } };
  expect((await lenient.markTask('T1', 'w')).entry).toMatchObject({ body: { value } });
});

test('a subject is required', async () => {
  const { client } = await makeAdmin();
  await expect(client.markNothing()).rejects.toMatchObject({ metadata: { field: 'subject' } });
});

test('keys come page by page; a token is of one list, and a page size above the largest counts as the largest', async () => {
  const { client } = await makeAdmin();
  for (let at = 0; at < 3; at++) await client.rotate({ urgent: true });
  const all = await client.keys({ pageSize: 100_000 });
  expect(all.keys).toHaveLength(4);
  const listed: (number | undefined)[] = [];
  let pageToken = '';
  do {
    const page = await client.keys({ pageSize: 1, pageToken });
    listed.push(...page.keys.map(({ generation }) => generation));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(listed).toEqual([0, 1, 2, 3]);
  const first = await client.keys({ pageSize: 1 });
  await expect(client.keys({ pageToken: first.nextPageToken, past: true })).rejects.toMatchObject({
    reason: 'REQUEST_INVALID',
    metadata: { field: 'page_token' },
  });
  await expect(client.keys({ pageSize: -1 })).rejects.toMatchObject({ metadata: { field: 'page_size' } });
});

test('a key is a JWK, and says the entry of its last change', async () => {
  const { client, keyManager } = await makeAdmin();
  const [managed] = (await client.keys({})).keys;
  const { kid, alg, jwkJson } = managed!.key!;
  expect({ kid, alg }).toEqual({ kid: keyManager.signingKid, alg: 'ES256' });
  expect(JSON.parse(jwkJson)).toEqual(JSON.parse(keyManager.keySet).keys[0]);
  expect(managed?.entryIndex).toBe(1n);
});

test('the next key is made by the service unless one is named, which it may not be able to open', async () => {
  const { client } = await makeAdmin();
  const named = { source: { case: 'existing', value: { name: 'alias/other' } } } as const;
  await expect(client.rotate(named)).rejects.toMatchObject({ reason: 'ROTATION_UNSUPPORTED' });
  const nameless = { source: { case: 'existing', value: { name: '' } } } as const;
  await expect(client.rotate(nameless)).rejects.toMatchObject({ metadata: { field: 'existing.name' } });
  const generated = await client.rotate({ source: { case: 'generated', value: {} } });
  expect(generated).toMatchObject({ duplicate: false, key: { generation: 1 } });
});
