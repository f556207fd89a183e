// Runs long work in slices of a few milliseconds. Between two slices other calls are served, and work of a cancelled call stops. Every
// loop whose length a caller determines yields.

import { EctError, reject } from '../errors.ts';

/**
 * Milliseconds of one slice.
 * @internal Exported because tests compute with it.
 */
export const SLICE_MS = 1;
/**
 * Milliseconds that all work of one turn of the event loop has before it must wait. The first slice does not wait, so without this limit
 * a hundred calls, or items of a batch, that start in one turn would block the loop for a hundred slices.
 *
 * @internal Exported because tests compute with it.
 */
export const FIRST_SLICES_MS = 2;
/**
 * Turns of the event loop between two slices: a short call takes about as many from its bytes to its response.
 *
 * @internal Exported because tests compute with it.
 */
export const TURNS_BETWEEN = 3;
/**
 * Maximum number of steps in a slice, whatever the clock says. A step is about one link of a graph: well below a microsecond.
 *
 * @internal Exported because tests compute with it.
 */
export const STEPS_PER_SLICE = 10_000;
/** The cost of looking up a name, in steps: a search and one leaf to read. */
export const STEPS_PER_NAME = 40;
/** The cost of verifying a token, in steps. */
export const STEPS_PER_TOKEN = 500;
/** Steps between two readings of the clock. */
const STEPS_PER_LOOK = 250;
/**
 * The cost of deciding whether a caller may read something, in steps. A cached decision is cheap, and one of a large policy takes longer
 * than a slice, so the clock is read for each.
 */
export const STEPS_PER_DECISION = STEPS_PER_LOOK;

/** What ends long work. The signal is read at the end of a slice, not before: most work needs only one slice. */
export interface Ending {
  readonly signal: AbortSignal;
}

export interface Yielder {
  /** Counts steps, one by default. True if the slice is used up: then `rest` must be called. */
  step(cost?: number): boolean;
  /** Ends the slice: all other waiting work runs first. Throws CALL_CANCELLED or DEADLINE_EXCEEDED after the signal has aborted. */
  yield(): Promise<void>;
}

/** `now` is in milliseconds. */
export function createYielder(deadline?: Ending, now: () => number = monotonicMs): Yielder {
  let [began, isFirst] = [now(), true];
  const turnBegan = beginningOfTurn(now, began);
  let [left, untilLook] = [STEPS_PER_SLICE, STEPS_PER_LOOK];
  return {
    step(cost = 1) {
      left -= cost;
      untilLook -= cost;
      if (left <= 0) return true;
      if (untilLook > 0) return false;
      untilLook = STEPS_PER_LOOK;
      const at = now();
      return at - began >= SLICE_MS || (isFirst && at - turnBegan >= FIRST_SLICES_MS);
    },
    async yield() {
      await nextSlice();
      throwIfEnded(deadline?.signal);
      [began, isFirst] = [now(), false];
      [left, untilLook] = [STEPS_PER_SLICE, STEPS_PER_LOOK];
    },
  };
}

function monotonicMs(): number {
  return performance.now();
}

/** The time, by this clock, at which work started first in this turn. */
let turn: { readonly now: () => number; readonly beganMs: number } | undefined;

function beginningOfTurn(now: () => number, atMs: number): number {
  if (turn?.now === now) return turn.beganMs;
  const begun = { now, beganMs: atMs };
  turn = begun;
  setImmediate(() => {
    if (turn === begun) turn = undefined;
  });
  return atMs;
}

const waiting: (() => void)[] = [];

/** Whether turns are being counted. */
let isCounting = false;

/**
 * Waits for a slice, first come, first served. A hundred long calls delay a short one by one slice, not by a hundred, and a short call
 * waits about once, not in each of its turns.
 */
export function nextSlice(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.push(resolve);
  if (!isCounting) countTurns(TURNS_BETWEEN);
  return promise;
}

/** `setImmediate` callbacks that are requested inside a callback run in the next turn, after new input. */
function countTurns(left: number): void {
  isCounting = true;
  setImmediate(left > 1 ? () => countTurns(left - 1) : beginSlice);
}

function beginSlice(): void {
  waiting.shift()?.();
  isCounting = false;
  if (waiting.length > 0) countTurns(TURNS_BETWEEN);
}

/** Throws why the call has ended, if it has. */
export function throwIfEnded(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw endedBy(signal);
}

/** Why a call has ended, as a rejection. */
export function endedBy({ reason: cause }: AbortSignal): EctError {
  if (cause instanceof EctError) return cause;
  const isDeadline = cause instanceof DOMException && cause.name === 'TimeoutError';
  return isDeadline
    ? new EctError(reject('DEADLINE_EXCEEDED', 'The deadline passed before the work was done.'), { cause })
    : new EctError(reject('CALL_CANCELLED', 'The call was cancelled before the work was done.'), { cause });
}
