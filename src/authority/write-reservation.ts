// Reserves quota for a write, and refunds what the write did not use.

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

/** Rejects a write that could not be reserved now, before any work is done for it. */
export function checkWriteQuota({ writes }: AuthorityContext, { caller, use, bytes }: Write): void {
  writes?.demand(callerName(caller), use, bytes);
}

/** Takes the quota for a write. Returns the function that refunds it. */
export function reserveWrite({ writes }: AuthorityContext, { caller, use, bytes }: Write): () => void {
  if (writes === undefined) return nothing;
  const name = callerName(caller);
  writes.take(name, use, bytes);
  return () => writes.refund(name, use, bytes);
}

/**
 * Runs a write under a reservation. The quota is refunded if `hasWritten` returns false, or if the error shows that nothing was stored.
 */
export async function writeFor<T>(
  context: AuthorityContext,
  write: Write,
  run: () => Promise<T>,
  hasWritten: (result: T) => boolean,
): Promise<T> {
  const refund = reserveWrite(context, write);
  try {
    const result = await run();
    if (!hasWritten(result)) refund();
    return result;
  } catch (error) {
    if (leavesNothing(error)) refund();
    throw error;
  }
}

/** With these errors the outcome is unknown: the write may have been stored. */
const OPEN_OUTCOMES: ReadonlySet<ErrorReason> = new Set([
  'LEDGER_UNAVAILABLE',
  'REPLAY_GUARD_UNAVAILABLE',
  'IDEMPOTENCY_UNAVAILABLE',
  'ONCE_CORRUPT',
]);

/** Whether the error shows that the write stored nothing. */
export function leavesNothing(error: unknown): boolean {
  return error instanceof EctError && !OPEN_OUTCOMES.has(error.reason);
}

function nothing(): void {
  // Without limits there is nothing to refund.
}
