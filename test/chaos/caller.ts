// One caller: how it calls, and how it writes down what it was answered, in the words that the checker reads.

import { writeTlogProof } from '../../src/ledger/index.ts';
import { type Entry, type Issued, proofIn, type Receipt, type Recorded } from '../interop/answers.ts';
import { CallError, type GrpcClient } from '../interop/grpc-js-client.ts';
import type { Journal } from './journal.ts';
import type { Pools } from './pools.ts';

const CALL_MS = 15_000;

export type Level = 'LEVEL_L1' | 'LEVEL_L2' | 'LEVEL_L3';
export type IssuedWithReceipt = Issued & { readonly level: Level; readonly receipt: Receipt | null };

/** Who calls, and where it is written down. */
export interface Caller {
  readonly client: GrpcClient;
  readonly journal: Journal;
  readonly pools: Pools;
}

/** CallError where it fails, which is counted. INTERNAL and UNKNOWN are faults of the service. */
export async function call<Answer>({ client, journal }: Caller, method: string, request: object): Promise<Answer> {
  try {
    return await client.call<Answer>(method, request, { deadline: Date.now() + CALL_MS });
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    journal.failed(method.split('/')[1] ?? method, error.reason || `code ${error.code}`);
    // 13 and 2: INTERNAL and UNKNOWN, of the service where they have a reason.
    if ([2, 13].includes(error.code) && error.info !== undefined)
      journal.breaks(`${method} failed with ${error.message}`);
    throw error;
  }
}

/** Writes an issued token down, with its entry where it has one. `isNew`: no earlier call can have recorded it. */
export function keepIssued(
  { journal, pools }: Caller,
  answer: IssuedWithReceipt,
  wid: string,
  isNew: boolean,
  key = '',
): void {
  const { token, level, receipt, claims } = answer;
  journal.write({ kind: 'issued', token, level, ...(key === '' ? {} : { request_id: key }) });
  if (level === 'LEVEL_L1') return;
  if (receipt === null) {
    pools.unrecorded.add(token);
    if (isNew) pools.fresh.add(token);
    return;
  }
  const { leaf_index: index, tree_size: size } = receipt.inclusion;
  const entry = { index: Number(index), leaf: receipt.leaf.toString('base64'), token };
  const proof = writeTlogProof(proofIn(receipt));
  journal.write({ kind: 'recorded', how: 'Issue', ...entry, proof, ...(isNew ? { new: true } : {}) });
  pools.size = Math.max(pools.size, Number(size));
  pools.tasks.add({ jti: claims.jti, wid });
  pools.recorded.add(token);
  if (isNew) pools.fresh.add(token);
}

/** Writes an entry down that was recorded or read with its receipt. */
export function keepRecorded(
  { journal, pools }: Caller,
  how: string,
  { entry, receipt }: Pick<Recorded, 'receipt'> & { readonly entry: Omit<Entry, 'leaf'> },
  isNew = false,
): void {
  const line = lineOf({ ...entry, leaf: receipt.leaf });
  const proof = writeTlogProof(proofIn(receipt));
  journal.write({ kind: 'recorded', how, ...line, proof, ...(isNew ? { new: true } : {}) });
  const name = entry.task?.name;
  if (name !== undefined) pools.tasks.add({ jti: name.jti, wid: name.wid });
}

/** Writes an entry of a list down. */
export function keepListed({ journal }: Caller, entry: Entry): void {
  journal.write({ kind: 'recorded', how: 'ListEntries', ...lineOf(entry) });
}

function lineOf({ index, leaf, task }: Entry) {
  const token = task?.token ?? '';
  return { index: Number(index), leaf: leaf.toString('base64'), ...(token === '' ? {} : { token }) };
}
