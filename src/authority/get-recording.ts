// The state of the recording of a task, for tokens that were returned before their entries were written.

import { throwIfEnded } from '../concurrency/yielder.ts';
import { namesOf } from '../dag/index.ts';
import { EctError, type Rejection, reject } from '../errors.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import type { AskedEntry } from './authorizer.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { isOf } from './evidence.ts';
import type { PendingState, TaskName } from './pending-recordings.ts';
import { askedAbout, type Reader, readerFor } from './read-permission.ts';
import { takenBy } from './recordings.ts';
import { WaitSlots } from './wait-slots.ts';

/** The state of the entry of a task. */
export type Recording =
  | { readonly status: 'pending' }
  | { readonly status: 'recorded'; readonly record: LedgerRecord }
  | { readonly status: 'failed'; readonly failure: Rejection };

/** What is asked about: a task, or only the token of a task that has this digest. */
export interface AskedRecording extends TaskName {
  readonly digest?: Uint8Array | undefined;
}

/** Longer waits count as this. It is less than the time in which a stopping service completes its calls. */
export const MAX_WAIT_MS = 5_000;
/** Pauses between two reads of the store, in milliseconds, to find recordings of other processes. Those of this process need no pause. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 500;

/** Waiting calls occupy slots of running calls, so at most a quarter of these may wait, for all callers and for one. */
const WAITING = new WaitSlots({ total: 128, perCaller: 64 });

/**
 * Returns when the task (or the token) is recorded or its recording has failed, and after `waitMs` at the latest, with the current state. If too many
 * calls wait it returns immediately. ENTRY_NOT_FOUND if the task is neither recorded nor pending.
 */
export async function getRecording(
  context: AuthorityContext,
  caller: Caller,
  task: AskedRecording,
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
  task: AskedRecording,
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

/** The first state that the reader may see. Both stores are read in any case: an entry that may not be seen takes as long as an absent one. */
async function lookUp(context: AuthorityContext, reader: Reader, asked: AskedRecording): Promise<Recording> {
  // The pending recordings are read first: an entry that is written in between is then found in the ledger.
  const pending = await context.recordings.find(asked);
  const record = await context.ledger.find(asked.wid, asked.jti);
  const { digest } = asked;
  const states =
    digest === undefined ? statesOfTask(asked, pending, record) : statesOfToken(asked, digest, pending, record);
  if (states.length === 0) await reader.maySee(undefined);
  for (const { entry, recording } of states) if (await reader.maySee(entry)) return recording;
  throw notPending(asked);
}

/** A state, and the entry that the reader must be allowed to see. */
interface State {
  readonly entry: AskedEntry;
  readonly recording: Recording;
}

/** Of a task: its entry, whichever token it has. Another token that was to be recorded counts only without an entry. */
function statesOfTask(
  task: TaskName,
  pending: PendingState | undefined,
  record: LedgerRecord | undefined,
): readonly State[] {
  return [
    ...(record === undefined ? [] : [recorded(record)]),
    ...(pending === undefined ? [] : [{ entry: pendingEntry(task, pending.iss), recording: stateOf(pending) }]),
  ];
}

/** Of one token: an entry of its task with another token means that it has none and gets none. */
function statesOfToken(
  task: TaskName,
  digest: Uint8Array,
  pending: PendingState | undefined,
  record: LedgerRecord | undefined,
): readonly State[] {
  if (record !== undefined && isOf(record, { digest })) return [recorded(record)];
  const isTaken: Recording | undefined = record && { status: 'failed', failure: takenBy(task) };
  const own = pending !== undefined && isOf(pending, { digest }) ? pending : undefined;
  return [
    ...(own === undefined ? [] : [{ entry: pendingEntry(task, own.iss), recording: isTaken ?? stateOf(own) }]),
    ...(record === undefined || isTaken === undefined ? [] : [{ entry: askedAbout(record), recording: isTaken }]),
  ];
}

function recorded(record: LedgerRecord): State {
  return { entry: askedAbout(record), recording: { status: 'recorded', record } };
}

function stateOf({ failure }: PendingState): Recording {
  return failure === undefined ? { status: 'pending' } : { status: 'failed', failure };
}

function notPending(task: TaskName): EctError {
  return new EctError(reject('ENTRY_NOT_FOUND', 'The task is neither recorded nor pending.', namesOf(task)));
}

/** The entry of a pending recording. */
function pendingEntry({ wid }: TaskName, iss: string): AskedEntry {
  return { kind: 'task', iss, wid };
}

/**
 * The entry of a task; undefined if there is none and none is pending, or if the reader may not see it. Throws ENTRY_PENDING or
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
  const pending = await recordings.find(task);
  const isSeen = pending !== undefined && (await reader.maySee(pendingEntry(task, pending.iss)));
  // The recording may have been completed and deleted since the first read.
  if (!isSeen) return look();
  if (pending.failure === undefined)
    throw new EctError(reject('ENTRY_PENDING', 'The entry is pending.', namesOf(task)));
  const { reason: cause } = pending.failure;
  throw new EctError(
    reject('ENTRY_FAILED', `The ledger rejected the entry for good: ${cause}.`, { cause, ...namesOf(task) }),
  );
}
