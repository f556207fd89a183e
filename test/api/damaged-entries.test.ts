// Entries of a ledger file in which something was changed: no answer of the service hands them out, and each rejection names the entry.

import { DatabaseSync } from 'node:sqlite';
import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ledgerService } from '../../src/api/ledger.ts';
import { validateDag } from '../../src/authority/index.ts';
import { asMarkCandidate } from '../../src/authority/marks.ts';
import type { Call } from '../../src/calls/call.ts';
import {
  GetEntryRequestSchema,
  GetWorkflowRequestSchema,
  ListEntriesRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { SqliteLedgerStore } from '../../src/stores/sqlite/index.ts';
import { issueFor, recordTask } from '../authority/support.ts';
import { type Folder, makeFolder } from '../stores/sqlite/folder.ts';
import { makeAuthority } from '../support/authority.ts';
import { WID } from '../support/tokens.ts';

const ENTRIES = 5;
const DAMAGED = 2;

const call: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note() {},
};

let folder: Folder;
let store: SqliteLedgerStore;

beforeEach(async () => {
  folder = await makeFolder();
  store = SqliteLedgerStore.open(folder.file('ledger.db'));
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

/** A service with some tasks of one workflow, and what it answers. */
async function recordedService() {
  const { context } = await makeAuthority(store);
  const jtis: string[] = [];
  for (let task = 0; task < ENTRIES; task++) jtis.push(await recordTask(context, { wid: WID }));
  const { token } = await issueFor(context, { wid: WID, pred: [jtis[DAMAGED]!] });
  const { getEntry, getWorkflow, listEntries } = ledgerService(context).procedures;
  const list = (fromIndex: number, pageSize: number, withContent: boolean) => async () =>
    listEntries(create(ListEntriesRequestSchema, { fromIndex: BigInt(fromIndex), pageSize, withContent }), call);
  return {
    listed: list(0, 0, false),
    listedWithContent: list(0, 0, true),
    before: list(0, DAMAGED, true),
    after: list(DAMAGED + 1, 0, true),
    entry: async () =>
      getEntry(create(GetEntryRequestSchema, { name: { case: 'index', value: BigInt(DAMAGED) } }), call),
    workflow: async () => getWorkflow(create(GetWorkflowRequestSchema, { wid: WID }), call),
    graph: async () => validateDag(context, { kind: 'workflow', wid: WID }, call),
    ancestors: async () => validateDag(context, { kind: 'token', token, predecessors: [] }, call),
    drawing: async () => validateDag(context, { kind: 'workflow', wid: WID }, call, { labels: true }),
  };
}

/** Flips the lowest bit of the byte in the middle of a column of one entry, as a bad disk does. */
function flip(column: string): void {
  const database = new DatabaseSync(folder.file('ledger.db'));
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
  const value = database.prepare(`SELECT ${column} AS value FROM entries WHERE idx = ?`).get(DAMAGED)?.['value'];
  const set = database.prepare(`UPDATE entries SET ${column} = ? WHERE idx = ?`);
  if (typeof value === 'number') set.run(value + 1, DAMAGED);
  else {
    const bytes = Buffer.from(value as string | Uint8Array);
    bytes[column === 'nodes' ? 0 : bytes.length >> 1]! ^= 1;
    set.run(typeof value === 'string' ? bytes.toString() : bytes, DAMAGED);
  }
  for (const { sql } of triggers) database.exec(String(sql));
  database.close();
}

const CORRUPT = {
  reason: 'LEDGER_CORRUPT',
  metadata: { index: String(DAMAGED) },
  message: expect.stringContaining(`Entry ${DAMAGED} `),
};

describe('L7: a flipped bit', () => {
  test.each(['leaf', 'name', 'author', 'recorded_at', 'nodes'])(
    'in the %s of an entry is never handed out: the rejection names the entry',
    async (column) => {
      const service = await recordedService();
      flip(column);
      for (const answer of ['listed', 'listedWithContent', 'entry', 'workflow', 'graph', 'drawing'] as const) {
        await expect(service[answer](), answer).rejects.toMatchObject(CORRUPT);
      }
      // Under another name it is not found, and its successor has a predecessor that is missing.
      if (column !== 'name') await expect(service.ancestors()).rejects.toMatchObject(CORRUPT);
      expect((await service.before()).entries).toHaveLength(DAMAGED);
      expect((await service.after()).entries).toHaveLength(ENTRIES - DAMAGED - 1);
    },
  );

  test.each(['leaf', 'name', 'nodes'])(
    'in the %s of a mark is found: what it taints never looks sound',
    async (column) => {
      const { context } = await makeAuthority(store);
      const jti = await recordTask(context, { wid: WID });
      await recordTask(context, { wid: WID, pred: [jti] });
      const mark = { subject: { kind: 'task', jti, wid: WID }, note: 'x', by: 'admin' } as const;
      const { record } = await context.ledger.append(asMarkCandidate(mark));
      expect(record.index).toBe(DAMAGED);
      flip(column);
      await expect(validateDag(context, { kind: 'workflow', wid: WID }, call)).rejects.toMatchObject(CORRUPT);
    },
  );

  test.each(['content', 'salt'])('in the %s of an entry is found wherever its token is read', async (column) => {
    const service = await recordedService();
    flip(column);
    for (const answer of ['listedWithContent', 'entry', 'drawing'] as const) {
      await expect(service[answer](), answer).rejects.toMatchObject(CORRUPT);
    }
    expect((await service.listed()).entries).toHaveLength(ENTRIES);
    expect((await service.before()).entries).toHaveLength(DAMAGED);
    expect((await service.after()).entries).toHaveLength(ENTRIES - DAMAGED - 1);
  });

  test('in no entry changes nothing', async () => {
    const service = await recordedService();
    for (const answer of Object.values(service)) await expect(answer()).resolves.toBeDefined();
  });
});
