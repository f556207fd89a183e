// The replay guard in memory: complete while the process lives, and empty after a restart.

import type { Claim, ReplayGuard, TokenUse } from '../../authority/index.ts';
import { EctError, reject } from '../../errors.ts';
import { claimOf, useKey, valueOfUse } from '../expiring-keys.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';

/**
 * The total size of stored signing inputs in characters, which is about the size in bytes. Beyond it a use still counts, and an
 * equivocation shows only one signing input.
 */
const EVIDENCE_CHARACTERS = 256 * 1024 * 1024;

/** Stores at most `capacity` uses. If all of them are unexpired, a new one is rejected: REPLAY_GUARD_FULL. */
export class MemoryReplayGuard implements ReplayGuard {
  readonly #uses: ExpiringKeyTable;
  #closed = false;

  constructor(capacity: number, evidenceCharacters = EVIDENCE_CHARACTERS) {
    this.#uses = new ExpiringKeyTable(capacity, evidenceCharacters);
  }

  async claim(use: TokenUse, keepUntil: number, now: number): Promise<Claim> {
    this.#rejectIfClosed();
    return claimOf(use, this.#uses.putIfAbsent(useKey(use), valueOfUse(use), keepUntil, now, guardFull));
  }

  async look(use: TokenUse, now: number): Promise<Claim> {
    this.#rejectIfClosed();
    return claimOf(use, this.#uses.get(useKey(use), now));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #rejectIfClosed(): void {
    if (this.#closed) throw new EctError(reject('REPLAY_GUARD_UNAVAILABLE', 'The replay guard is closed.'));
  }
}

function guardFull(): EctError {
  return new EctError(reject('REPLAY_GUARD_FULL', 'The replay guard is full of tokens that have not expired yet.'));
}
