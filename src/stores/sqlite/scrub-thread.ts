// The thread that reads a ledger again and again, a little at a time. It has a connection of its own, and holds no state of
// the file from one entry to the next, so it never keeps pages from being moved.

import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { EctError } from '../../errors.ts';
import { LedgerExaminer, SCRUBBED_STRUCTURE_BYTES } from './ledger-examiner.ts';

/** What is to be examined. */
export interface ScrubOrder {
  readonly file: string;
  readonly verifierKey: string;
  readonly entriesPerSecond: number;
}

/** What the thread is told: to begin a pass anew, at another pace, or to end. */
export type ToScrub =
  | { readonly kind: 'restart'; readonly round: number; readonly entriesPerSecond: number }
  | { readonly kind: 'stop' };

/** What the thread tells. A pass that was begun anew is not told. */
export type FromScrub =
  | { readonly kind: 'examined'; readonly entries: number }
  | { readonly kind: 'damage'; readonly index: number | null; readonly fault: string }
  | { readonly kind: 'passed'; readonly round: number; readonly entries: number; readonly isSound: boolean }
  | { readonly kind: 'failed'; readonly message: string };

const SLICE_MS = 100;
const BETWEEN_PASSES_MS = 1_000;
const AFTER_FAILURE_MS = 10_000;
/** A pass that found so much has nothing to add. */
const MAX_FAULTS = 20;

const { file, verifierKey, entriesPerSecond } = workerData as ScrubOrder;
const pace = { entriesPerSecond, round: 0 };
let ending: AbortController | undefined = new AbortController();
let isStopped = false;

parentPort?.on('message', (message: ToScrub) => {
  if (message.kind === 'stop') isStopped = true;
  else Object.assign(pace, { entriesPerSecond: message.entriesPerSecond, round: message.round });
  ending?.abort();
});

while (!isStopped) {
  ending = new AbortController();
  let restMs = BETWEEN_PASSES_MS;
  try {
    await pass(ending.signal, pace.round);
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    if (error.reason === 'LEDGER_CORRUPT') tell({ kind: 'damage', index: null, fault: error.message });
    else tell({ kind: 'failed', message: error.message });
    restMs = AFTER_FAILURE_MS;
  }
  if (!ending.signal.aborted) await rest(restMs, ending.signal);
}
parentPort?.close();

/** One pass over all entries that the head counts when it begins. */
async function pass(signal: AbortSignal, round: number): Promise<void> {
  // A connection of its own: what is kept of an earlier one may be better than what is on the disk by now.
  const examiner = LedgerExaminer.open(file);
  try {
    const size = await examiner.size();
    let faults = 0;
    for (let next = 0; next < size && faults < MAX_FAULTS; ) {
      const end = Math.min(size, next + Math.max(1, Math.round((pace.entriesPerSecond * SLICE_MS) / 1_000)));
      tell({ kind: 'examined', entries: end - next });
      for (; next < end && faults < MAX_FAULTS; next++) {
        const damage = examiner.entryFault(next);
        if (damage === undefined) continue;
        faults++;
        tell({ kind: 'damage', ...damage });
      }
      await rest(SLICE_MS, signal);
      if (signal.aborted) return;
    }
    for (const damage of await examiner.wholeFaults(size, verifierKey, SCRUBBED_STRUCTURE_BYTES)) {
      faults++;
      tell({ kind: 'damage', ...damage });
    }
    tell({ kind: 'passed', round, entries: size, isSound: faults === 0 });
  } finally {
    examiner.close();
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function tell(message: FromScrub): void {
  parentPort?.postMessage(message);
}
