// Batches: every item stands alone, results keep the order, and each echoes its reference.

import { setImmediate } from 'node:timers/promises';
import { type Appended, type AuthorityParts, appendBatch, rehearseAppend } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import type { BatchAppendLedgerItem } from '../gen/ect/v1/authority_pb.ts';
import type { Status } from '../gen/google/rpc/status_pb.ts';
import type { Call } from './call.ts';
import { toStatus } from './errors.ts';
import { invalid } from './invalid.ts';
import { MAX_BATCH_ITEMS } from './limits.ts';
import { writeAppended, writeAppendRehearsal } from './messages.ts';
import { readName } from './orders.ts';

interface Item<Request> {
  readonly reference: string;
  readonly request?: Request | undefined;
}

interface ItemResult<Response> {
  reference: string;
  result: { case: 'response'; value: Response } | { case: 'error'; value: Status };
}

/** Items that are begun before other calls are served again. An item takes some 100 microseconds of computing. */
const ITEMS_PER_SLICE = 100;

/**
 * Runs a procedure on each item. An item fails by EctError alone; anything else is a bug and fails the call. When the
 * call is over, no further item is begun.
 */
export async function runItems<Request, Response>(
  items: readonly Item<Request>[],
  call: Call,
  procedure: (request: Request, call: Call) => Promise<Response>,
): Promise<ItemResult<Response>[]> {
  checkItems(items);
  const runItem = async ({ reference, request }: Item<Request>, position: number): Promise<ItemResult<Response>> => {
    try {
      if (request === undefined) throw invalid(`items[${position}].request`, 'is required');
      return { reference, result: { case: 'response', value: await procedure(request, call) } };
    } catch (error) {
      return failed(reference, error);
    }
  };
  const results: ItemResult<Response>[] = [];
  for (let start = 0; start < items.length; start += ITEMS_PER_SLICE) {
    if (start > 0) await setImmediate();
    call.signal.throwIfAborted();
    const slice = items.slice(start, start + ITEMS_PER_SLICE);
    results.push(...(await Promise.all(slice.map((item, at) => runItem(item, start + at)))));
  }
  return results;
}

/** Appends each item's token; a later one may follow an earlier one. Dry runs come last, and see what was recorded. */
export async function appendItems(parts: AuthorityParts, items: readonly BatchAppendLedgerItem[], call: Call) {
  checkItems(items);
  const outcomes = await appendBatch(
    parts,
    items.map(({ request }) => (request === undefined || request.dryRun ? '' : request.token)),
    call.signal,
  );
  const results: ItemResult<Awaited<ReturnType<typeof rehearseItem>>>[] = [];
  for (const [position, { reference, request }] of items.entries()) {
    try {
      if (!request?.token) throw invalid(`items[${position}].request.token`, 'is required');
      const outcome = outcomes[position]!;
      const value = request.dryRun ? await rehearseItem(parts, request.token, call) : writeOutcome(outcome);
      results.push({ reference, result: { case: 'response', value } });
    } catch (error) {
      results.push(failed(reference, error));
    }
  }
  return results;
}

function writeOutcome(outcome: Appended | EctError) {
  if (outcome instanceof EctError) throw outcome;
  return writeAppended(outcome);
}

/** After each of them other calls are served: a rehearsal never waits for anything else. */
async function rehearseItem(parts: AuthorityParts, token: string, call: Call) {
  await setImmediate();
  call.signal.throwIfAborted();
  return writeAppendRehearsal(await rehearseAppend(parts, token));
}

function checkItems(items: readonly Item<unknown>[]): void {
  if (items.length === 0 || items.length > MAX_BATCH_ITEMS) {
    throw invalid('items', `must have 1 to ${MAX_BATCH_ITEMS} items`);
  }
  for (const [position, { reference }] of items.entries()) readName(`items[${position}].reference`, reference);
}

function failed(reference: string, error: unknown): { reference: string; result: { case: 'error'; value: Status } } {
  if (!(error instanceof EctError)) throw error;
  return { reference, result: { case: 'error', value: toStatus(error) } };
}
