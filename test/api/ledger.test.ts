// ect.v1.LedgerService over a ledger in memory: entries of each kind, lists, workflows, and pages that every client can read.

import { create, toJson } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { nameOf } from '../../src/authority/index.ts';
import { EntrySchema, ReceiptFormat } from '../../src/gen/ect/v1/ledger_pb.ts';
import { DagStatus, Level } from '../../src/gen/ect/v1/token_pb.ts';
import { verifyReceipt } from '../../src/ledger/index.ts';
import { recordTask } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { JTI, WID } from '../support/tokens.ts';
import { ADMIN, clientOf, lossOf } from './ledger-client.ts';

test('an entry is what it is about, and says nothing else', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  await recordTask(context, { jti: JTI, wid: WID });
  await client.mark({ kind: 'task', jti: JTI, wid: WID });
  await client.mark({ kind: 'key', kid: 'stolen', sinceMs: 7_000 });
  await context.ledger.append(lossOf(9));
  const [task, ofTask, ofKey, loss] = (await client.list({ withContent: true })).entries;
  expect(task).toMatchObject({
    index: 0n,
    body: { case: 'task', value: { name: { jti: JTI, wid: WID }, iss: 'urn:ect:test', pred: [] } },
  });
  const value = { subject: { case: 'task', value: { jti: JTI, wid: WID } }, statedBy: ADMIN };
  expect(ofTask?.body).toMatchObject({ case: 'taint', value });
  const since = { seconds: 7n, nanos: 0 };
  const ofKid = { subject: { case: 'kid', value: 'stolen' }, compromisedSince: since, statedBy: ADMIN };
  expect(ofKey?.body).toMatchObject({ case: 'taint', value: ofKid });
  const statement = ofTask?.body.case === 'taint' ? ofTask.body.value.statement : '';
  expect(JSON.parse(statement)).toEqual({ subject: { kind: 'task', jti: JTI, wid: WID }, note: 'n', by: ADMIN });
  expect(loss?.body).toMatchObject({
    case: 'loss',
    value: { shownSize: 9n, shownRootHash: Buffer.alloc(32, 7), statement: expect.stringContaining('shown') },
  });
});

test('the first entry says its index in JSON', async () => {
  const { context } = await makeAuthority();
  await recordTask(context);
  const { entry, receipt } = await clientOf(context).entry(0);
  expect(toJson(EntrySchema, create(EntrySchema, entry ?? {}))).toMatchObject({ index: '0' });
  expect(receipt?.proof).toMatchObject({ case: 'inclusion', value: { leafIndex: 0n } });
});

test('L12 a receipt has one form, and each proves the entry: leaf and salt stand there alone', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  for (let at = 0; at < 3; at++) await recordTask(context);
  const { verifierKey } = context.ledger;
  const fields = await client.entry(1, ReceiptFormat.FIELDS);
  const text = await client.entry(1, ReceiptFormat.TLOG_PROOF);
  expect(fields.entry).toEqual(text.entry);
  expect(fields.entry).not.toHaveProperty('leaf');
  expect(fields.entry).not.toHaveProperty('salt');
  const token = fields.entry?.body?.case === 'task' ? (fields.entry.body.value.token ?? '') : '';
  const content = Buffer.from(token);
  const { leaf = Buffer.alloc(0), proof } = fields.receipt ?? {};
  if (proof?.case !== 'inclusion') throw new Error('no fields');
  const { leafIndex, hashes = [], checkpoint = '', salt = null } = proof.value;
  const tlogProof = { leafIndex: Number(leafIndex), hashes, checkpoint, salt };
  expect(verifyReceipt({ leaf, tlogProof, verifierKey, content })).toEqual({ ok: true, index: 1, size: 3 });
  const written = text.receipt?.proof;
  if (written?.case !== 'tlogProof') throw new Error('no text');
  expect(verifyReceipt({ leaf, tlogProof: written.value, verifierKey, content })).toMatchObject({ ok: true, index: 1 });
  expect(await client.entry(1)).toEqual(fields);
});

test('an index that is not there is outside the tree, and the answer says how large that is', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  const outside = (index: number, entries: number) => ({
    reason: 'INDEX_OUT_OF_RANGE',
    metadata: { index: String(index), entries: String(entries) },
  });
  await expect(client.entry(0)).rejects.toMatchObject(outside(0, 0));
  await recordTask(context);
  await expect(client.entry(1)).rejects.toMatchObject(outside(1, 1));
  await expect(client.entry(2 ** 53)).rejects.toMatchObject({
    reason: 'REQUEST_INVALID',
    metadata: { field: 'index' },
  });
});

test('a workflow is a summary: how many tasks, since when, their level and their taints', async () => {
  const { context } = await makeAuthority();
  const client = clientOf(context);
  const jtis: string[] = [];
  for (let at = 0; at < 5; at++) jtis.push(await recordTask(context, { wid: WID, pred: jtis.slice(-1) }));
  await client.mark({ kind: 'task', jti: jtis[3]!, wid: WID });
  const workflow = await client.workflow(WID);
  expect(workflow).toMatchObject({ wid: WID, size: 5, depth: 5 });
  expect(workflow.dagReport).toMatchObject({ status: DagStatus.COMPLETE, pathLevel: Level.L3, omitted: 0 });
  expect(workflow.dagReport?.tainted).toHaveLength(2);
  const { entries } = await client.list({ wid: WID });
  expect(entries.map(({ body }) => (body.case === 'task' ? body.value.name?.jti : ''))).toEqual(jtis);
  const times = [entries.at(0), entries.at(-1)].map((entry) => timestampMs(entry!.recordedAt!));
  expect([workflow.firstRecordedAt, workflow.lastRecordedAt].map((time) => timestampMs(time!))).toEqual(times);
});

test('a mark is found by a name that no id can be mistaken for', () => {
  const names = [nameOf({ kind: 'key', kid: JTI, sinceMs: 0 }), nameOf({ kind: 'task', jti: JTI, wid: '' })];
  expect(new Set([...names, JTI]).size).toBe(3);
});
