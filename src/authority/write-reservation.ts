// How a procedure asks for the room that a write needs, and gives back what it did not use.

import { EctError, type ErrorReason } from '../errors.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import type { WriteUse } from './write-limits.ts';

/** A write for a caller. */
export interface Write {
  readonly caller: Caller;
  readonly use: WriteUse;
  readonly bytes: number;
}

/** Rejects a write that would be rejected now, before any work is done for it. */
export function checkWriteQuota({ writes }: AuthorityContext, { caller, use, bytes }: Write): void {
  writes?.demand(callerName(caller), use, bytes);
}

/** Takes what a write needs. Returns how it is given back. */
export function reserveWrite({ writes }: AuthorityContext, { caller, use, bytes }: Write): () => void {
  if (writes === undefined) return nothing;
  const name = callerName(caller);
  writes.take(name, use, bytes);
  return () => writes.giveBack(name, use, bytes);
}

/** Runs a write that has its room. What `hasWritten` denies, or a rejection that left nothing behind, is not charged. */
export async function writeFor<T>(
  context: AuthorityContext,
  write: Write,
  run: () => Promise<T>,
  hasWritten: (result: T) => boolean,
): Promise<T> {
  const giveBack = reserveWrite(context, write);
  try {
    const result = await run();
    if (!hasWritten(result)) giveBack();
    return result;
  } catch (error) {
    if (leavesNothing(error)) giveBack();
    throw error;
  }
}

/** After these the outcome is open: what was written may have stayed. */
const OPEN_OUTCOMES: ReadonlySet<ErrorReason> = new Set([
  'LEDGER_UNAVAILABLE',
  'REPLAY_GUARD_UNAVAILABLE',
  'IDEMPOTENCY_UNAVAILABLE',
  'ONCE_CORRUPT',
]);

/** Whether a write that failed so has certainly left nothing behind. */
export function leavesNothing(error: unknown): boolean {
  return error instanceof EctError && !OPEN_OUTCOMES.has(error.reason);
}

function nothing(): void {
  // No limits, nothing to give back.
}
