// ect.v1.LedgerService: entries, checkpoints and proofs, and the marks of what is compromised.

import {
  type AuthorityParts,
  demandSound,
  examineRecorded,
  findTask,
  MARK_SCOPE,
  markCompromised,
} from '../authority/index.ts';
import { KEY_SCOPE } from '../custody/index.ts';
import { EctError, refuse } from '../errors.ts';
import {
  type GetEntryRequest,
  type GetWorkflowRequest,
  LedgerService,
  type ListEntriesRequest,
} from '../gen/ect/v1/ledger_pb.ts';
import type { Ledger, LedgerRecord, RecordQuery } from '../ledger/index.ts';
import { createPace } from '../pace.ts';
import { pageBytes, pageRoom, workflowBytes } from './answer-size.ts';
import type { Call, Service } from './call.ts';
import { writeGraphFindings } from './graph-messages.ts';
import { demand, invalid } from './invalid.ts';
import { MAX_MESSAGE_BYTES, MAX_PAGE_ENTRIES } from './limits.ts';
import { readMarkOrder } from './mark-orders.ts';
import { millisecondsOf, writeEntry, writeReceipt } from './messages.ts';
import { answerRecording } from './recording.ts';
import { checkAll } from './violations.ts';

const DEFAULT_PAGE = 100;
/** What it costs to write an entry, in steps of a pace: some microseconds. */
const STEPS_PER_ENTRY = 40;

/** Serves the ledger to whoever is authenticated. */
export function ledgerService(parts: AuthorityParts): Service<typeof LedgerService> {
  const { ledger } = parts;
  return {
    descriptor: LedgerService,
    access: 'callers',
    administered: ['markCompromised'],
    // A page of 1,000 entries takes some 15 ms, a small call 0.1.
    weights: { listEntries: 100, getWorkflow: 100 },
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: {
      listEntries: ({ pageSize, withContent }) => pageBytes(pageSize || DEFAULT_PAGE, withContent),
      getWorkflow: ({ pageSize, pageToken }) => workflowBytes(pageSize || MAX_PAGE_ENTRIES, pageToken),
    },
    procedures: {
      getEntry: async (request) => {
        const record = await findEntry(parts, request);
        await demandSound(ledger, [record]);
        return { entry: writeEntry(record, true), receipt: writeReceipt(await ledger.receiptFor(record)) };
      },
      getRecording: (request, call) => answerRecording(parts, request, call),
      listEntries: (request, call) => readPage(ledger, readQuery(request), call),
      getWorkflow: async (request, call) => {
        const { wid } = request;
        const page = await readPage(ledger, readWorkflowQuery(request), call);
        if (request.pageToken !== '') return { wid, ...page };
        return { wid, ...page, ...writeGraphFindings(await examineRecorded(parts, wid, call)) };
      },
      getCheckpoint: async () => {
        const { note, origin, size, root, verifierKey } = await ledger.checkpoint();
        return { checkpoint: note, origin, treeSize: BigInt(size), rootHash: bytes(root), verifierKey };
      },
      getInclusionProof: async (request) => {
        const asked = readIndex('leaf_index', request.leafIndex);
        const proof = await ledger.inclusionProof(asked, readSize('tree_size', request.treeSize));
        return {
          leafIndex: BigInt(proof.index),
          treeSize: BigInt(proof.size),
          hashes: proof.hashes.map(bytes),
          leafHash: bytes(proof.leafHash),
          rootHash: bytes(proof.root),
        };
      },
      getConsistencyProof: async (request) => {
        checkAll(
          () => readIndex('first_tree_size', request.firstTreeSize),
          () => readSize('second_tree_size', request.secondTreeSize),
        );
        const first = readIndex('first_tree_size', request.firstTreeSize);
        const proof = await ledger.consistencyProof(first, readSize('second_tree_size', request.secondTreeSize));
        return {
          firstTreeSize: BigInt(proof.first),
          secondTreeSize: BigInt(proof.second),
          hashes: proof.hashes.map(bytes),
        };
      },
      markCompromised: async (request, call) => {
        const marking = markCompromised(
          parts,
          call.caller,
          readMarkOrder(request, parts.policy.token.ids),
          call.signal,
        );
        const { record, receipt, duplicate } = await marking;
        return { entry: writeEntry(record, true), receipt: writeReceipt(receipt), duplicate };
      },
    },
  };
}

/** One page of entries: as many as the query asks for, or as an answer holds. */
async function readPage(ledger: Ledger, query: RecordQuery, call: Call) {
  // One more than asked for tells whether there is a next page.
  const records = await ledger.list({ ...query, limit: query.limit + 1 }, call.signal);
  let [taken, room] = [0, pageRoom(query.limit, query.withContent)];
  for (const record of records.slice(0, query.limit)) {
    room -= sizeOfEntry(record);
    if (room < 0 && taken > 0) break;
    taken++;
  }
  const listed = records.slice(0, taken);
  await demandSound(ledger, listed, call);
  const entries: ReturnType<typeof writeEntry>[] = [];
  const pace = createPace(call);
  for (const record of listed) {
    if (pace.step(STEPS_PER_ENTRY)) await pace.rest();
    entries.push(writeEntry(record, query.withContent));
  }
  const next = records[taken];
  return { entries, nextPageToken: next === undefined ? '' : String(next.index) };
}

/** Bytes of an entry, at most: its leaf, what the leaf says once more as fields, and its content where it was read. */
function sizeOfEntry({ leaf, content }: LedgerRecord): number {
  return 2 * leaf.length + (content?.length ?? 0) + 140;
}

async function findEntry(parts: AuthorityParts, { index, jti, wid }: GetEntryRequest): Promise<LedgerRecord> {
  if ((index === undefined) === (jti === '')) throw invalid('index', 'or jti is required, and not both');
  if (index !== undefined && wid !== '') throw invalid('wid', 'goes with jti');
  const { ledger } = parts;
  const byName = index === undefined;
  const record = byName ? await findTask(parts, { wid, jti }) : await ledger.at(readIndex('index', index));
  if (record !== undefined) return record;
  const found = byName ? `no such task ${wid === '' ? 'without' : 'in this'} workflow` : `no entry ${index}`;
  throw new EctError(refuse('ENTRY_NOT_FOUND', `The ledger has ${found}: it has ${sizeText(ledger.size)}.`));
}

function sizeText(size: number): string {
  return size === 0 ? 'no entry yet' : `${size} ${size === 1 ? 'entry, index 0' : `entries, indexes 0 to ${size - 1}`}`;
}

function readQuery(request: ListEntriesRequest): RecordQuery {
  const { wid, iss, taints, keys } = request;
  checkAll(
    () => demand(!taints || wid === '', 'taints', 'does not go with wid'),
    () => demand(!keys || (!taints && wid === ''), 'keys', 'does not go with wid or taints'),
    () => readPaging(request, DEFAULT_PAGE),
    () => readIndex('from_index', request.fromIndex),
  );
  const fromMs = millisecondsOf(request.recordedFrom);
  const beforeMs = millisecondsOf(request.recordedBefore);
  const paging = readPaging(request, DEFAULT_PAGE);
  return {
    ...paging,
    startIndex: Math.max(paging.startIndex, readIndex('from_index', request.fromIndex)),
    withContent: request.withContent,
    ...scopeOf(request),
    ...(iss === '' ? {} : { author: iss }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(beforeMs === undefined ? {} : { beforeMs }),
  };
}

function scopeOf({ wid, taints, keys }: ListEntriesRequest): Pick<RecordQuery, 'scope'> {
  const scope = taints ? MARK_SCOPE : keys ? KEY_SCOPE : wid;
  return scope === '' ? {} : { scope };
}

function readWorkflowQuery(request: GetWorkflowRequest): RecordQuery {
  checkAll(
    () => demand(request.wid !== '', 'wid', 'is required'),
    () => readPaging(request, MAX_PAGE_ENTRIES),
  );
  return { ...readPaging(request, MAX_PAGE_ENTRIES), scope: request.wid };
}

function readPaging(
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
  defaultPage: number,
): RecordQuery {
  checkAll(
    () => demand(pageSize >= 0 && pageSize <= MAX_PAGE_ENTRIES, 'page_size', `must be 0 to ${MAX_PAGE_ENTRIES}`),
    () => demand(/^(?:|0|[1-9][0-9]{0,14})$/.test(pageToken), 'page_token', 'must be one that a page answered'),
  );
  return { startIndex: Number(pageToken), limit: pageSize === 0 ? defaultPage : pageSize, withContent: false };
}

/** An int64 as a number. Beyond 2^53 there is nothing to find, and below zero nothing to ask for. */
function readIndex(field: string, value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(field, 'must be from 0 to 2^53 - 1');
  return Number(value);
}

function readSize(field: string, value: bigint): number | undefined {
  return value === 0n ? undefined : readIndex(field, value);
}

function bytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return value as Uint8Array<ArrayBuffer>;
}
