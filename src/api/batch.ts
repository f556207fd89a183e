// Batches: the items are independent, the results are in the order of the items, and each result has the reference of its item.

import {
  type AppendDryRun,
  type Appended,
  type AuthorityContext,
  appendBatch,
  dryRunAppend,
} from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { MAX_BATCH_ITEMS } from '../calls/message-limits.ts';
import { demandAppend } from '../calls/permission.ts';
import { createYielder, nextSlice, STEPS_PER_TOKEN, throwIfEnded } from '../concurrency/yielder.ts';
import { EctError, MAX_VIOLATIONS, type Rejection, reject } from '../errors.ts';
import type { AppendLedgerRequest, BatchAppendLedgerItem } from '../gen/ect/v1/authority_pb.ts';
import type { Status } from '../gen/google/rpc/status_pb.ts';
import type { DetailBudget } from './detail-budget.ts';
import { demand } from './invalid.ts';
import { toItemStatus } from './item-errors.ts';
import { checkReceiptFormat, isName, readName } from './request-fields.ts';
import { type Manner, writeAppendDryRun, writeAppended } from './responses.ts';
import { checkAll, inField, readAll, rejectionsOf, within } from './violations.ts';

interface Item<Request> {
  readonly reference: string;
  readonly request?: Request | undefined;
}

interface ItemResult<Response> {
  readonly reference: string;
  readonly result: { case: 'response'; value: Response } | { case: 'error'; value: Status };
}

/** The maximum number of items that are started before other calls run. An item takes about 100 µs of CPU. */
const ITEMS_PER_SLICE = 32;
/**
 * The CPU time, in microseconds, after which no further item of a slice is started. A policy decision that is not cached takes as long as
 * several signatures.
 */
const BEGINNING_MICROS = 3_000;

/** Runs one item. */
type RunItem<Request, Response> = (request: Request, place: number) => Promise<Response>;

/**
 * Runs a procedure for each item. The signatures of a slice are made or checked one directly after another. An item fails with an
 * EctError; any other exception is a bug and fails the call. After the end of the call no further item is started.
 */
export async function runItems<Request, Response>(
  items: readonly Item<Request>[],
  call: Call,
  run: RunItem<Request, Response>,
  details?: DetailBudget,
): Promise<ItemResult<Response>[]> {
  const results: ItemResult<Response>[] = [];
  for (let start = 0; start < items.length; start = results.length) {
    if (start > 0) await nextSlice();
    throwIfEnded(call.signal);
    const begun: Promise<Response>[] = [];
    const isTimeUp = computingTimer(BEGINNING_MICROS);
    const end = Math.min(start + ITEMS_PER_SLICE, items.length);
    for (let place = start; place < end; place++) {
      begun.push(begin(items[place]!.request, place, run));
      if (isTimeUp()) break;
    }
    for (const settled of await Promise.allSettled(begun)) {
      const place = results.length;
      const outcome = settled.status === 'fulfilled' ? settled.value : rejectionOnly(settled.reason);
      results.push(resultOf(items[place]!.reference, place, outcome, details));
    }
  }
  return results;
}

/**
 * Returns a function that says whether this thread has used that much CPU time since. Wall time includes other threads, so it only shows
 * that the limit has not been reached; that saves the system call in most cases.
 */
function computingTimer(micros: number): () => boolean {
  const beganMs = performance.now();
  const beganMicros = computedMicros();
  return () => (performance.now() - beganMs) * 1000 >= micros && computedMicros() - beganMicros >= micros;
}

function computedMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Starts an item. Never throws. */
function begin<Request, Response>(
  request: Request | undefined,
  place: number,
  run: RunItem<Request, Response>,
): Promise<Response> {
  try {
    if (request === undefined) throw missingRequest();
    return run(request, place);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

/** Runs an item and returns its response or its error. */
async function attempt<Request, Response>(
  request: Request | undefined,
  place: number,
  run: RunItem<Request, Response>,
): Promise<Response | EctError> {
  try {
    if (request === undefined) throw missingRequest();
    return await run(request, place);
  } catch (thrown) {
    return rejectionOnly(thrown);
  }
}

function rejectionOnly(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  throw thrown;
}

/** Returns the result of an item. Field names are relative to the batch: `items[3].request.aud`. */
function resultOf<Response>(
  reference: string,
  place: number,
  outcome: Response | EctError,
  details: DetailBudget | undefined,
): ItemResult<Response> {
  if (!(outcome instanceof EctError)) return { reference, result: { case: 'response', value: outcome } };
  const error = outcome.within(`items[${place}].request`);
  return { reference, result: { case: 'error', value: toItemStatus(error, details) } };
}

function missingRequest(): EctError {
  return new EctError(reject('REQUEST_INVALID', 'request is required.', { field: '' }));
}

/**
 * Appends the token of each item. An item may name an earlier one as its predecessor. Dry runs come last, so they see what was recorded.
 */
export async function appendItems(
  context: AuthorityContext,
  items: readonly BatchAppendLedgerItem[],
  call: Call,
  details: DetailBudget,
) {
  const decisions = await decide(context, items, call);
  const denials = decisions.map((decision) => (decision instanceof EctError ? decision : undefined));
  const outcomes = await appendBatch(
    context,
    call.caller,
    items.map(({ request }, at) =>
      request === undefined || request.dryRun || denials[at] !== undefined || !isSound(request) ? '' : request.token,
    ),
    call.signal,
    decisions.map((decision) => (decision instanceof EctError ? undefined : decision)),
  );
  const results: ItemResult<Awaited<ReturnType<typeof dryRunInTurn>>>[] = [];
  for (const [position, { reference, request }] of items.entries()) {
    if (position % ITEMS_PER_SLICE === ITEMS_PER_SLICE - 1) await nextSlice();
    const outcome = await attempt(request, position, async (asked) => {
      checkAppend(asked);
      const denial = denials[position];
      if (denial !== undefined) throw denial;
      const manner = { receiptFormat: asked.receiptFormat, details };
      return asked.dryRun
        ? dryRunInTurn(context, asked.token, call, manner)
        : writeOutcome(outcomes[position]!, manner);
    });
    results.push(resultOf(reference, position, outcome, details));
  }
  return results;
}

/** Decides for each item whether the caller may have it recorded. Returns the digest of the policy that permits it, or the error. */
async function decide(context: AuthorityContext, items: readonly BatchAppendLedgerItem[], call: Call) {
  const decisions: (string | EctError | undefined)[] = [];
  const yielder = createYielder(call);
  for (const { request } of items) {
    if (yielder.step(STEPS_PER_TOKEN)) await yielder.yield();
    decisions.push(decisionOf(context, call, request?.token ?? ''));
  }
  return decisions;
}

/** Undefined if the item is not to be recorded. */
function decisionOf(context: AuthorityContext, call: Call, token: string): string | EctError | undefined {
  try {
    return token === '' ? undefined : demandAppend(context, call.caller, token);
  } catch (thrown) {
    return rejectionOnly(thrown);
  }
}

function writeOutcome(outcome: Appended | EctError, manner: Manner) {
  if (outcome instanceof EctError) throw inField('token', outcome);
  return writeAppended(outcome, manner);
}

/** Runs the dry runs one after another and lets other calls run after each, because a dry run does not wait for anything. */
async function dryRunInTurn(context: AuthorityContext, token: string, call: Call, manner: Manner) {
  await nextSlice();
  throwIfEnded(call.signal);
  return writeAppendDryRun(await dryRunItem(context, token, call), manner);
}

/** Runs one append as a dry run. The event of the call contains the reason why it would be rejected. */
export async function dryRunItem(context: AuthorityContext, token: string, call: Call): Promise<AppendDryRun> {
  const result = await dryRunAppend(context, call.caller, token, call);
  if (result.rejection !== undefined) call.note(result.rejection.reason);
  return result;
}

/** Rejects a request for faults that do not depend on the token. */
export function checkAppend({ token, receiptFormat }: AppendLedgerRequest): void {
  checkAll(
    () => demand(token !== '', 'token', 'is required'),
    () => checkReceiptFormat(receiptFormat),
  );
}

/** Whether an item is to be recorded: its request has no fault. */
function isSound(request: AppendLedgerRequest): boolean {
  return rejectionsOf(() => checkAppend(request)).length === 0;
}

/**
 * Rejects a batch for faults of the whole batch; `checks` are those of its other fields. If there is one, the items are read with
 * `readItem` too, so that their faults are reported in the same response.
 */
export function checkBatch<Request>(
  items: readonly Item<Request>[],
  readItem: (request: Request) => unknown,
  ...checks: readonly (() => unknown)[]
): void {
  readAll(
    () => checkWhole(items, checks),
    () => faultsOfItems(items, readItem),
  );
}

/** How many items of a rejected batch are examined for faults; that takes one or two milliseconds of CPU. */
const MAX_EXAMINED_ITEMS = 100;

function faultsOfItems<Request>(
  items: readonly Item<Request>[],
  readItem: (request: Request) => unknown,
): readonly Rejection[] {
  const faults: Rejection[] = [];
  for (const [place, { request }] of items.slice(0, MAX_EXAMINED_ITEMS).entries()) {
    if (faults.length >= MAX_VIOLATIONS) break;
    const read = () => {
      if (request === undefined) throw missingRequest();
      return readItem(request);
    };
    faults.push(...rejectionsOf(read).map((fault) => within(`items[${place}].request`, fault)));
  }
  return faults;
}

function checkWhole(items: readonly Item<unknown>[], checks: readonly (() => unknown)[]): void {
  checkAll(
    () =>
      demand(items.length > 0 && items.length <= MAX_BATCH_ITEMS, 'items', `must have 1 to ${MAX_BATCH_ITEMS} items`),
    ...checks,
    ...items.slice(0, MAX_BATCH_ITEMS).flatMap(({ reference }, place) => {
      const check = () => readName(`items[${place}].reference`, reference);
      return isName(reference) ? [] : [check];
    }),
  );
}
