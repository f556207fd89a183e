// The thread that continuously reads a ledger and its `once.db`, a little at a time. It has its own connection and no open read
// transaction between two entries, so it never prevents pages from being moved.

import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { EctError } from '../../errors.ts';
import { damageIn, ExpiringKeyExaminer } from './expiring-key-examiner.ts';
import { EXPIRING_KEY_TABLES } from './expiring-key-layout.ts';
import { LedgerExaminer, SCRUBBED_STRUCTURE_BYTES } from './ledger-examiner.ts';

/** The files to scrub. */
export interface ScrubOptions {
  readonly file: string;
  /** The path of `once.db`. */
  readonly onceFile: string;
  readonly verifierKey: string;
  readonly entriesPerSecond: number;
}

/** A message to the thread: the round before which passes do not count, whether a pass starts at once, and its speed; or the end. */
export type ToScrub =
  | { readonly kind: 'round'; readonly round: number; readonly entriesPerSecond: number; readonly isAtOnce: boolean }
  | { readonly kind: 'stop' };

/** The files, by the names that messages use. */
export type ScrubbedFile = 'ledger.db' | 'once.db';

/** A message from the thread. A restarted pass is not reported. */
export type FromScrub =
  | { readonly kind: 'examined'; readonly entries: number }
  | { readonly kind: 'damage'; readonly file: ScrubbedFile; readonly index: number | null; readonly fault: string }
  | {
      readonly kind: 'passed';
      readonly file: ScrubbedFile;
      readonly round: number;
      readonly entries: number;
      readonly isSound: boolean;
    }
  | { readonly kind: 'failed'; readonly message: string };

const SLICE_MS = 100;
const BETWEEN_PASSES_MS = 1_000;
const AFTER_FAILURE_MS = 10_000;
/** A pass with so many faults need not report more. */
const MAX_FAULTS = 20;

const { file, onceFile, verifierKey, entriesPerSecond } = workerData as ScrubOptions;
const pace = { entriesPerSecond, round: 0 };
let ending = new AbortController();
let isStopped = false;

parentPort?.on('message', (message: ToScrub) => {
  if (message.kind === 'stop') isStopped = true;
  else Object.assign(pace, { entriesPerSecond: message.entriesPerSecond, round: message.round });
  if (message.kind === 'stop' || message.isAtOnce) ending.abort();
});

while (!isStopped) {
  ending = new AbortController();
  const { signal } = ending;
  const { round } = pace;
  let restMs = BETWEEN_PASSES_MS;
  try {
    await guarded('ledger.db', () => passLedger(signal, round));
    if (!signal.aborted) await guarded('once.db', () => passOnce(signal, round));
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    post({ kind: 'failed', message: error.message });
    restMs = AFTER_FAILURE_MS;
  }
  if (!signal.aborted) await rest(restMs, signal);
}
parentPort?.close();

/** A file that is too damaged to be examined ends its pass. */
async function guarded(name: ScrubbedFile, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    post({ kind: 'damage', file: name, index: null, fault: damageIn(error) });
  }
}

/** One pass over all entries that exist when it begins. */
async function passLedger(signal: AbortSignal, round: number): Promise<void> {
  // A new connection, because the cache of an older one may be intact while the disk is not.
  const examiner = LedgerExaminer.open(file);
  try {
    const size = await examiner.size();
    let faults = 0;
    for (let next = 0; next < size && faults < MAX_FAULTS; ) {
      const end = Math.min(size, next + sliceSize());
      post({ kind: 'examined', entries: end - next });
      for (; next < end && faults < MAX_FAULTS; next++) {
        const damage = examiner.entryFault(next);
        if (damage === undefined) continue;
        faults++;
        post({ kind: 'damage', file: 'ledger.db', ...damage });
      }
      await rest(SLICE_MS, signal);
      if (signal.aborted) return;
    }
    for (const damage of await examiner.wholeFaults(size, verifierKey, SCRUBBED_STRUCTURE_BYTES)) {
      faults++;
      post({ kind: 'damage', file: 'ledger.db', ...damage });
    }
    post({ kind: 'passed', file: 'ledger.db', round, entries: size, isSound: faults === 0 });
  } finally {
    examiner.close();
  }
}

/** One pass over the rows that exist when it reaches them. */
async function passOnce(signal: AbortSignal, round: number): Promise<void> {
  const examiner = ExpiringKeyExaminer.open(onceFile);
  let [faults, entries] = [0, 0];
  const found = (texts: readonly string[]) => {
    faults += texts.length;
    for (const fault of texts) post({ kind: 'damage', file: 'once.db', index: null, fault });
  };
  try {
    for (const table of EXPIRING_KEY_TABLES) {
      for (let after: number | undefined = 0; after !== undefined && faults < MAX_FAULTS; ) {
        const part = examiner.rowsFrom(table, after, sliceSize());
        found(part.faults);
        entries += part.rows;
        after = part.next;
        await rest(SLICE_MS, signal);
        if (signal.aborted) return;
      }
    }
    found(examiner.wholeFaults(SCRUBBED_STRUCTURE_BYTES));
    post({ kind: 'passed', file: 'once.db', round, entries, isSound: faults === 0 });
  } finally {
    examiner.close();
  }
}

function sliceSize(): number {
  return Math.max(1, Math.round((pace.entriesPerSecond * SLICE_MS) / 1_000));
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function post(message: FromScrub): void {
  parentPort?.postMessage(message);
}
