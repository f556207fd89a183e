// A10: what a caller may not read looks, and takes, as if it were not there.

import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/authority/index.ts';
import {
  GetEntryRequestSchema,
  GetInclusionProofRequestSchema,
  GetRecordingRequestSchema,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
  RecordingStatus,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { A, ABSENT, B, failureOf, make, NOWHERE, named, OF_B, SHARED, taskOf } from './readers.ts';

describe('A10 one entry', () => {
  test('A10 its own and those of workflows that it began are answered', async () => {
    const { service, call, tasks } = await make();
    const read = async (jti: string, wid = '') =>
      taskOf((await service.getEntry(named(jti, wid), call(A))).entry)?.name?.jti;
    expect(await read(tasks.ofA)).toBe(tasks.ofA);
    expect(await read(tasks.sharedByB, SHARED)).toBe(tasks.sharedByB);
  });

  test('A10 a task that it records in the workflow of another opens nothing', async () => {
    const { service, call, tasks } = await make();
    const read = (jti: string) => failureOf(() => service.getEntry(named(jti, SHARED), call(B)));
    expect(await read(tasks.sharedByB)).toBe('no failure');
    expect(await read(tasks.sharedByA)).toMatchObject({ reason: 'ENTRY_NOT_FOUND' });
    expect(await read(tasks.sharedByA)).toEqual(await read(ABSENT));
    const workflow = (wid: string) =>
      failureOf(() => service.getWorkflow(create(GetWorkflowRequestSchema, { wid }), call(B)));
    expect(await workflow(SHARED)).toEqual(await workflow(NOWHERE));
  });

  test('A10 rejected and absent fail with the same words, after the same look-ups', async () => {
    const { store, service, call, tasks } = await make();
    const [getEntry, getRecording] = [
      (jti: string, wid: string) => service.getEntry(named(jti, wid), call(A)),
      (jti: string, wid: string) =>
        service.getRecording(create(GetRecordingRequestSchema, { task: { jti, wid } }), call(A)),
    ];
    for (const get of [getEntry, getRecording]) {
      for (const wid of ['', OF_B]) {
        const asked: string[][] = [];
        const failures: unknown[] = [];
        for (const jti of [wid === '' ? tasks.ofB : tasks.apart, ABSENT]) {
          store.asked.length = 0;
          failures.push(await failureOf(() => get(jti, wid)));
          asked.push([...store.asked]);
        }
        expect(failures[0]).toMatchObject({ reason: 'ENTRY_NOT_FOUND' });
        expect(failures[0]).toEqual(failures[1]);
        expect(asked[0]).not.toEqual([]);
        expect(asked[0]).toEqual(asked[1]);
      }
    }
  });

  test('A10 one that is on its way, or failed, is there for whom it will be, and for nobody else', async () => {
    const { service, call, pending } = await make();
    const digest = Buffer.alloc(32, 1);
    const order = {
      wid: '',
      jti: ABSENT,
      iss: B.id,
      caller: B.id,
      digest,
      token: 'x',
      requestedAt: 0,
      provenance: undefined,
    };
    const [recording, entry] = [
      (caller: Caller, jti: string) =>
        service.getRecording(create(GetRecordingRequestSchema, { task: { jti } }), call(caller)),
      (caller: Caller, jti: string) => service.getEntry(named(jti), call(caller)),
    ];
    await pending.add(order, 60_000);
    expect(await recording(B, ABSENT)).toEqual({ status: RecordingStatus.PENDING });
    expect(await failureOf(() => entry(B, ABSENT))).toMatchObject({ reason: 'ENTRY_PENDING' });
    const hidden = async () => {
      for (const get of [recording, entry]) {
        const failure = await failureOf(() => get(A, ABSENT));
        expect(failure).toMatchObject({ reason: 'ENTRY_NOT_FOUND' });
        expect(failure).toEqual(await failureOf(() => get(A, NOWHERE)));
      }
    };
    await hidden();
    await pending.failed(order, { reason: 'DAG_CYCLE', message: 'a circle', metadata: {} }, 60_000);
    expect(await failureOf(() => entry(B, ABSENT))).toMatchObject({ reason: 'ENTRY_FAILED' });
    await hidden();
  });

  test('A10 by its index, and its proof, too', async () => {
    const { store, service, call } = await make();
    const entry = (index: number) =>
      service.getEntry(create(GetEntryRequestSchema, { name: { case: 'index', value: BigInt(index) } }), call(A));
    const proof = (index: number) =>
      service.getInclusionProof(create(GetInclusionProofRequestSchema, { leafIndex: BigInt(index) }), call(A));
    const page = await service.listEntries(create(ListEntriesRequestSchema), call(B));
    const mine = new Set(
      (await service.listEntries(create(ListEntriesRequestSchema), call(A))).entries?.map(({ index }) => Number(index)),
    );
    const hidden = Number(page.entries?.find(({ index }) => !mine.has(Number(index)))?.index);
    for (const get of [entry, proof]) {
      const asked: string[][] = [];
      const failures: unknown[] = [];
      for (const index of [hidden, 999]) {
        store.asked.length = 0;
        failures.push(await failureOf(() => get(index)));
        asked.push([...store.asked]);
      }
      expect(failures[0]).toEqual({
        reason: 'ENTRY_NOT_FOUND',
        message: 'The ledger has no entry of this index that this caller may read.',
        // Nothing about a jti or a wid, which were not asked for.
        remedy: 'Use the index of an entry that ListEntries returns to this caller.',
        metadata: ['jti'],
      });
      expect(failures[0]).toEqual(failures[1]);
      expect(asked[0]).toEqual(asked[1]);
    }
    for (const index of mine)
      await expect(Promise.resolve(proof(index))).resolves.toMatchObject({ leafIndex: BigInt(index) });
  });
});
