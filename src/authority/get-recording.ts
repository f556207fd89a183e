// What became of the recording of a task, for those who hold a token that left before its entry.

import { throwIfEnded } from '../concurrency/yielder.ts';
import { EctError, type Rejection, reject } from '../errors.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import type { AskedEntry } from './authorizer.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { isOf } from './evidence.ts';
import type { TaskName } from './pending-recordings.ts';
import { askedAbout, type Reader, readerFor } from './read-permission.ts';
import { WaitSlots } from './wait-slots.ts';

/** What is known of the entry of a task. */
export type Recording =
  | { readonly status: 'pending' }
  | { readonly status: 'recorded'; readonly record: LedgerRecord }
  | { readonly status: 'failed'; readonly failure: Rejection };

/** Longer waits count as this. Less than the time in which a service that stops has its calls answered. */
export const MAX_WAIT_MS = 5_000;
/** Pauses between two looks, in milliseconds. What this process records is told at once; these find what others have recorded. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/** Calls that wait here keep their place among those that have begun, so a quarter of these wait, of all callers and of one. */
const WAITING = new WaitSlots({ total: 128, perCaller: 64 });

/**
 * Answers once the task is recorded or will never be, and no later than after `waitMs`, with what is known then. Where too many
 * wait it answers at once. ENTRY_NOT_FOUND where the task was neither recorded nor ordered.
 */
export async function getRecording(
  context: AuthorityContext,
  caller: Caller,
  task: TaskName,
  waitMs: number,
  signal: AbortSignal,
): Promise<Recording> {
  const reader = readerFor(context, caller, 'GetRecording');
  const first = await lookUp(context, reader, task);
  if (first.status !== 'pending' || waitMs === 0) return first;
  const leave = WAITING.enter(callerName(caller));
  if (leave === undefined) return first;
  try {
    return await waitFor(context, reader, task, Math.min(waitMs, MAX_WAIT_MS), signal);
  } finally {
    leave();
  }
}

async function waitFor(
  context: AuthorityContext,
  reader: Reader,
  task: TaskName,
  waitMs: number,
  signal: AbortSignal,
): Promise<Recording> {
  const endMs = performance.now() + waitMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const leftMs = endMs - performance.now();
    await context.recordings.changed(task, Math.min(pauseMs, Math.max(0, leftMs)), signal);
    throwIfEnded(signal);
    const recording = await lookUp(context, reader, task);
    if (recording.status !== 'pending' || leftMs <= pauseMs) return recording;
  }
}

/** The order is asked first: an entry that lands in between is found in the ledger, and one that waits is never called missing. */
async function lookUp({ ledger, recordings }: AuthorityContext, reader: Reader, task: TaskName): Promise<Recording> {
  const order = await recordings.find(task);
  const record = await ledger.find(task.wid, task.jti);
  // Under the name another token may be recorded than the one that was ordered.
  const recorded = record !== undefined && (order === undefined || isOf(record, order)) ? record : undefined;
  const found = recorded === undefined ? order && pendingEntry(task, order.iss) : askedAbout(recorded);
  if (!(await reader.maySee(found))) throw notPending(task);
  if (recorded !== undefined) return { status: 'recorded', record: recorded };
  if (order === undefined) throw notPending(task);
  return order.failure === undefined ? { status: 'pending' } : { status: 'failed', failure: order.failure };
}

function notPending(task: TaskName): EctError {
  return new EctError(reject('ENTRY_NOT_FOUND', 'The task is neither recorded nor pending.', namesOf(task)));
}

/** The entry that an order will come to. */
function pendingEntry({ wid }: TaskName, iss: string): AskedEntry {
  return { kind: 'task', iss, wid };
}

/**
 * The entry of a task; undefined where there is none and none was ordered, and where the reader may not see it. ENTRY_PENDING,
 * ENTRY_FAILED.
 */
export async function findTask(
  { ledger, recordings }: AuthorityContext,
  reader: Reader,
  task: TaskName,
): Promise<LedgerRecord | undefined> {
  const { wid, jti } = task;
  const look = async () => {
    const record = await ledger.find(wid, jti);
    return (await reader.maySee(record && askedAbout(record))) ? record : undefined;
  };
  const record = await look();
  if (record !== undefined) return record;
  const order = await recordings.find(task);
  const isSeen = order !== undefined && (await reader.maySee(pendingEntry(task, order.iss)));
  // It may have landed, and its order been forgotten, since the first look.
  if (!isSeen) return look();
  if (order.failure === undefined) throw new EctError(reject('ENTRY_PENDING', 'The entry is pending.', namesOf(task)));
  const { reason: cause } = order.failure;
  throw new EctError(
    reject('ENTRY_FAILED', `The ledger rejected the entry for good: ${cause}.`, { cause, ...namesOf(task) }),
  );
}

/** The task as facts of a rejection. */
export function namesOf({ wid, jti }: TaskName): { readonly jti: string; readonly wid?: string } {
  return wid === '' ? { jti } : { wid, jti };
}
