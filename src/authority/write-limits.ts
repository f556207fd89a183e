// Port: how much a caller may make the service keep.

import { EctError, type ErrorReason } from '../errors.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityParts } from './parts.ts';

/** What is kept: an entry of the ledger, a use of a token, a token under an idempotency key. */
export type WriteUse = 'ledger' | 'replay' | 'idempotency';

/**
 * Bounds what is written for callers. `caller` is the proven name, or one name for all callers without an identity.
 *
 * It answers at once and writes nothing itself. It refuses by EctError: QUOTA_EXCEEDED where the caller has had its share,
 * STORAGE_FULL where there is no room for anybody; nothing has been taken then. What administrators order (keys, marks) is not
 * asked about: it must be possible when nothing else is.
 */
export interface WriteLimits {
  /** Refuses what could not be taken now. Asked before the work that leads up to a write; takes nothing. */
  demand(caller: string, use: WriteUse, bytes: number): void;
  /** Takes the bytes, immediately before they are written. */
  take(caller: string, use: WriteUse, bytes: number): void;
  /** Gives back what was taken for a write that left nothing behind. */
  giveBack(caller: string, use: WriteUse, bytes: number): void;
}

/** A write for a caller. */
export interface Write {
  readonly caller: Caller;
  readonly use: WriteUse;
  readonly bytes: number;
}

/** Refuses a write that would be refused now, before any work is done for it. */
export function demandRoom({ writes }: AuthorityParts, { caller, use, bytes }: Write): void {
  writes?.demand(callerName(caller), use, bytes);
}

/** Takes what a write needs. Answers how it is given back. */
export function takeRoom({ writes }: AuthorityParts, { caller, use, bytes }: Write): () => void {
  if (writes === undefined) return nothing;
  const name = callerName(caller);
  writes.take(name, use, bytes);
  return () => writes.giveBack(name, use, bytes);
}

/** Runs a write that has its room. What `hasWritten` denies, or a refusal that left nothing behind, is not charged. */
export async function writeFor<T>(
  parts: AuthorityParts,
  write: Write,
  run: () => Promise<T>,
  hasWritten: (result: T) => boolean,
): Promise<T> {
  const giveBack = takeRoom(parts, write);
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
const OPEN_OUTCOMES: ReadonlySet<ErrorReason> = new Set(['LEDGER_UNAVAILABLE', 'REPLAY_GUARD_UNAVAILABLE']);

function leavesNothing(error: unknown): boolean {
  return error instanceof EctError && !OPEN_OUTCOMES.has(error.reason);
}

function nothing(): void {
  // No limits, nothing to give back.
}
