// Batches: every item stands alone, results keep the order, and each echoes its reference.

import { type Appended, type AuthorityParts, appendBatch, rehearseAppend } from '../authority/index.ts';
import { EctError } from '../errors.ts';
import type { BatchAppendLedgerItem } from '../gen/ect/v1/authority_pb.ts';
import type { Status } from '../gen/google/rpc/status_pb.ts';
import type { Cut } from '../keys/index.ts';
import { nextSlice, throwIfEnded } from '../pace.ts';
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
  readonly reference: string;
  readonly result: { case: 'response'; value: Response } | { case: 'error'; value: Status };
}

/** Items that are begun before other calls are served again. An item takes some 100 microseconds of computing. */
const ITEMS_PER_SLICE = 32;

/** How an item is begun: cut at its signature, or by itself where there is more to wait for. */
type BeginItem<Request, Response> = (request: Request, call: Call, place: number) => Cut<Response> | Promise<Response>;

/**
 * Runs a procedure on each item; the signatures of a slice are settled one right after the other. An item fails by EctError
 * alone; anything else is a bug and fails the call. When the call is over, no further item is begun.
 */
export async function runItems<Request, Response>(
  items: readonly Item<Request>[],
  call: Call,
  begin: BeginItem<Request, Response>,
): Promise<ItemResult<Response>[]> {
  checkItems(items);
  const results: ItemResult<Response>[] = [];
  for (let start = 0; start < items.length; start += ITEMS_PER_SLICE) {
    if (start > 0) await nextSlice();
    throwIfEnded(call.signal);
    const slice = items.slice(start, start + ITEMS_PER_SLICE);
    const begun = slice.map(({ request }, at) =>
      attempt(() => {
        if (request === undefined) throw invalid(`items[${start + at}].request`, 'is required');
        return begin(request, call, start + at);
      }),
    );
    const settled = begun.map((item) => (isCut(item) && item.owesSignature ? attempt(() => settle(item)) : item));
    const finished = settled.map((item) => (isCut(item) ? attempt(() => item.finish()) : item));
    const isLate = finished.some((outcome) => outcome instanceof Promise);
    const outcomes = isLate ? await Promise.all(finished.map(async (outcome) => outcome)) : finished;
    for (const [at, { reference }] of slice.entries())
      results.push(resultOf(reference, outcomes[at] as Response | EctError));
  }
  return results;
}

/** What something came to, or will: it may be refused. */
type Attempt<T, Later = T> = T | Promise<Later | EctError> | EctError;

/** A bug becomes a promise that fails: what was begun beside it is still waited for. */
function attempt<T, Later>(run: () => T | Promise<Later>): Attempt<T, Later> {
  try {
    const result = run();
    return result instanceof Promise ? result.catch(refusalOnly) : result;
  } catch (thrown) {
    return thrown instanceof EctError ? thrown : Promise.reject(thrown);
  }
}

function refusalOnly(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  throw thrown;
}

function isCut<T>(item: Attempt<Cut<T>, T>): item is Cut<T> {
  return !(item instanceof Promise || item instanceof EctError);
}

function settle<T>(cut: Cut<T>): Cut<T> {
  cut.settle();
  return cut;
}

function resultOf<Response>(reference: string, outcome: Response | EctError): ItemResult<Response> {
  if (outcome instanceof EctError) return { reference, result: { case: 'error', value: toStatus(outcome) } };
  return { reference, result: { case: 'response', value: outcome } };
}

/** Appends each item's token; a later one may follow an earlier one. Dry runs come last, and see what was recorded. */
export async function appendItems(parts: AuthorityParts, items: readonly BatchAppendLedgerItem[], call: Call) {
  checkItems(items);
  const outcomes = await appendBatch(
    parts,
    call.caller,
    items.map(({ request }) => (request === undefined || request.dryRun ? '' : request.token)),
    call.signal,
  );
  const results: ItemResult<Awaited<ReturnType<typeof rehearseItem>>>[] = [];
  for (const [position, { reference, request }] of items.entries()) {
    if (position % ITEMS_PER_SLICE === ITEMS_PER_SLICE - 1) await nextSlice();
    const outcome = attempt(() => {
      if (!request?.token) throw invalid(`items[${position}].request.token`, 'is required');
      return request.dryRun ? rehearseItem(parts, request.token, call) : writeOutcome(outcomes[position]!);
    });
    results.push(resultOf(reference, outcome instanceof Promise ? await outcome : outcome));
  }
  return results;
}

function writeOutcome(outcome: Appended | EctError) {
  if (outcome instanceof EctError) throw outcome;
  return writeAppended(outcome);
}

/** After each of them other calls are served: a rehearsal never waits for anything else. */
async function rehearseItem(parts: AuthorityParts, token: string, call: Call) {
  await nextSlice();
  throwIfEnded(call.signal);
  return writeAppendRehearsal(await rehearseAppend(parts, token, call));
}

export function checkItems(items: readonly Item<unknown>[]): void {
  if (items.length === 0 || items.length > MAX_BATCH_ITEMS) {
    throw invalid('items', `must have 1 to ${MAX_BATCH_ITEMS} items`);
  }
  for (const [position, { reference }] of items.entries()) readName(`items[${position}].reference`, reference);
}
