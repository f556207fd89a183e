// ect.v1.LedgerService: entries, checkpoints and proofs.

import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type AuthorityContext,
  askedAbout,
  demandIntact,
  findTask,
  type Reader,
  readerFor,
  readWorkflow,
} from '../authority/index.ts';
import type { Service } from '../calls/call.ts';
import { MAX_MESSAGE_BYTES } from '../calls/message-limits.ts';
import { namesOf } from '../dag/index.ts';
import { EctError, reject } from '../errors.ts';
import { type GetEntryRequest, LedgerService } from '../gen/ect/v1/ledger_pb.ts';
import { indexOutOfRange, type Ledger, type LedgerRecord } from '../ledger/index.ts';
import { writeEntry, writeReceipt } from './entry-messages.ts';
import { readEntryPage } from './entry-page.ts';
import { entriesAPage, readEntryQuery, readIndex } from './entry-query.ts';
import { writeWholeReport } from './graph-messages.ts';
import { invalid } from './invalid.ts';
import { pageBytes, workflowBytes } from './page-sizes.ts';
import { provenanceFor } from './provenance-messages.ts';
import { answerRecording } from './recording.ts';
import { checkLookupId, checkReceiptFormat, checkTaskName } from './request-fields.ts';
import { checkAll, inField } from './violations.ts';

/** Returns the service. Callers must be authenticated. */
export function ledgerService(context: AuthorityContext): Service<typeof LedgerService> {
  const { ledger } = context;
  return {
    descriptor: LedgerService,
    access: 'callers',
    asksItself: ['getEntry', 'getRecording', 'listEntries', 'getWorkflow', 'getInclusionProof'],
    // A page of 1,000 entries takes about 15 ms, a small call 0.1 ms.
    weights: { listEntries: 100, getWorkflow: 100 },
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: {
      listEntries: ({ pageSize, withContent }) => pageBytes(entriesAPage(pageSize), withContent),
      getWorkflow: workflowBytes,
    },
    procedures: {
      getEntry: async (request, { caller }) => {
        const { receiptFormat } = request;
        checkAll(
          () => checkReceiptFormat(receiptFormat),
          () => checkName(request),
        );
        const record = await findEntry(context, readerFor(context, caller, 'GetEntry'), request);
        await demandIntact(ledger, [record]);
        const entry = writeEntry(record, provenanceFor(context, caller)(record));
        return { entry, receipt: writeReceipt(await ledger.receiptFor(record), receiptFormat) };
      },
      getRecording: (request, call) => answerRecording(context, request, call),
      listEntries: (request, call) =>
        readEntryPage(context, readEntryQuery(request), readerFor(context, call.caller, 'ListEntries', true), call),
      getWorkflow: async ({ wid }, call) => {
        checkLookupId('wid', wid, true);
        const isHidden = !(await readerFor(context, call.caller, 'GetWorkflow').maySeeWorkflow(wid));
        const { seesAll, maySeeWorkflow } = readerFor(context, call.caller, 'GetWorkflow', true);
        const subject = { wid, isHidden, maySeeWorkflow: seesAll ? undefined : maySeeWorkflow };
        const { report, tasks, firstMs, lastMs } = await readWorkflow(context, subject, call);
        return {
          wid,
          size: tasks,
          depth: report.depth,
          firstRecordedAt: timestampFromMs(firstMs),
          lastRecordedAt: timestampFromMs(lastMs),
          dagReport: writeWholeReport(report),
        };
      },
      getCheckpoint: async () => {
        const { note, origin, size, root, verifierKey } = await ledger.checkpoint();
        return { checkpoint: note, origin, treeSize: BigInt(size), rootHash: bytes(root), verifierKey };
      },
      getInclusionProof: async ({ leafIndex, treeSize }, { caller }) => {
        checkAll(
          () => readIndex('leaf_index', leafIndex),
          () => readSize('tree_size', treeSize),
        );
        const reader = readerFor(context, caller, 'GetInclusionProof');
        if (!reader.seesAll && (await seenAt(ledger, reader, Number(leafIndex))) === undefined) throw notReadable();
        const proving = ledger.inclusionProof(Number(leafIndex), readSize('tree_size', treeSize));
        const proof = await proving.catch(
          naming(({ reason }) => (reason === 'INDEX_OUT_OF_RANGE' ? 'leaf_index' : 'tree_size')),
        );
        return {
          leafIndex: BigInt(proof.index),
          treeSize: BigInt(proof.size),
          hashes: proof.hashes.map(bytes),
          leafHash: bytes(proof.leafHash),
          rootHash: bytes(proof.root),
        };
      },
      getConsistencyProof: async ({ firstTreeSize, secondTreeSize }) => {
        checkAll(
          () => readIndex('first_tree_size', firstTreeSize),
          () => readSize('second_tree_size', secondTreeSize),
        );
        const [first, second] = [Number(firstTreeSize), readSize('second_tree_size', secondTreeSize)];
        const isOfFirst = ({ metadata: facts }: EctError) => facts['tree_size'] === String(first) && first !== second;
        const proof = await ledger
          .consistencyProof(first, second)
          .catch(naming((error) => (isOfFirst(error) ? 'first_tree_size' : 'second_tree_size')));
        return {
          firstTreeSize: BigInt(proof.first),
          secondTreeSize: BigInt(proof.second),
          hashes: proof.hashes.map(bytes),
        };
      },
    },
  };
}

function checkName({ name }: GetEntryRequest): void {
  if (name.case === undefined) throw invalid('name', 'is required: an index or a task');
  if (name.case === 'index') readIndex('index', name.value);
  else checkTaskName(name.value);
}

async function findEntry(context: AuthorityContext, reader: Reader, { name }: GetEntryRequest): Promise<LedgerRecord> {
  const { ledger } = context;
  if (name.case === 'index') {
    const index = Number(name.value);
    const record = await seenAt(ledger, reader, index);
    if (record !== undefined) return record;
    throw reader.seesAll ? inField('index', indexOutOfRange(index, ledger.size)) : notReadable();
  }
  const { wid = '', jti = '' } = name.value ?? {};
  const record = await findTask(context, reader, { wid, jti });
  if (record !== undefined) return record;
  const where = wid === '' ? 'without a workflow' : 'in this workflow';
  throw new EctError(reject('ENTRY_NOT_FOUND', `The ledger has no such task ${where}.`, namesOf({ wid, jti })));
}

/** Returns the entry at an index if the caller may see it. */
async function seenAt(ledger: Ledger, reader: Reader, index: number): Promise<LedgerRecord | undefined> {
  const record = await ledger.at(index);
  return (await reader.maySee(record && askedAbout(record))) ? record : undefined;
}

/**
 * The same error for an index without an entry and for an entry that the caller may not see, so that a caller cannot distinguish them.
 */
function notReadable(): EctError {
  return new EctError({
    ...reject('ENTRY_NOT_FOUND', 'The ledger has no entry of this index that this caller may read.', { jti: '' }),
    remedy: 'Use the index of an entry that ListEntries returns to this caller.',
  });
}

/** Returns a handler that adds the name of the request field to a rejection. */
function naming(fieldOf: (error: EctError) => string): (thrown: unknown) => never {
  return (thrown) => {
    throw thrown instanceof EctError ? inField(fieldOf(thrown), thrown) : thrown;
  };
}

function readSize(field: string, value: bigint): number | undefined {
  return value === 0n ? undefined : readIndex(field, value);
}

function bytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return value as Uint8Array<ArrayBuffer>;
}
