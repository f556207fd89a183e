// The replay guard in memory: complete while the process lives, and empty after a restart.

import { EctError, reject } from '../../errors.ts';
import { TableReplayGuard } from '../table-replay-guard.ts';
import { ExpiringKeyTable } from './expiring-key-table.ts';

/**
 * The total size of stored signing inputs in characters, which is about the size in bytes. Beyond it a use still counts, and an
 * equivocation shows only one signing input.
 */
const EVIDENCE_CHARACTERS = 256 * 1024 * 1024;

/** Stores at most `capacity` uses. If all of them are unexpired, a new one is rejected: REPLAY_GUARD_FULL. */
export class MemoryReplayGuard extends TableReplayGuard {
  constructor(capacity: number, evidenceCharacters = EVIDENCE_CHARACTERS) {
    super(new ExpiringKeyTable({ capacity, contentCharacters: evidenceCharacters, full, closed }));
  }
}

function full(): EctError {
  return new EctError(reject('REPLAY_GUARD_FULL', 'The replay guard is full of tokens that have not expired yet.'));
}

function closed(): EctError {
  return new EctError(reject('REPLAY_GUARD_UNAVAILABLE', 'The replay guard is closed.'));
}
