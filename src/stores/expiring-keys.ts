// What every adapter that remembers something once has in common: how it names a scope, and how it judges a second use.

import { hash } from 'node:crypto';
import type { Claim, TokenUse } from '../authority/index.ts';

/** What is remembered under a key. */
export interface StoredValue {
  /** 32 bytes that identify the content. */
  readonly digest: Uint8Array;
  /** A short name that goes with it; empty for none. */
  readonly label: string;
  readonly content: string;
}

/** The two things that are remembered once: uses of tokens, and tokens that were issued under request ids. */
export type ExpiringKeyKind = 'uses' | 'issued';
export const EXPIRING_KEY_KINDS: readonly ExpiringKeyKind[] = ['uses', 'issued'];

/** A row as a store keeps it; `keepUntil` in seconds since the epoch. */
export interface ExpiringKeyRow extends StoredValue {
  /** 32 bytes: the scope. */
  readonly key: Uint8Array;
  readonly keepUntil: number;
}

/** All that a store remembers once, row by row: what a copy needs. No service may have the store open. */
export interface ExpiringKeyRows {
  /** At most `limit` rows after a key, in the order of keys. After an empty key: the first ones. */
  after(kind: ExpiringKeyKind, key: Uint8Array, limit: number): Promise<readonly ExpiringKeyRow[]>;
  /** Adds rows, durably. Of two rows under one key the one that is kept longer stays. */
  add(kind: ExpiringKeyKind, rows: readonly ExpiringKeyRow[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * The key of a scope, 32 bytes. The parts are attacker-controlled, so they are joined as JSON, where no part can spell a
 * border between two; the hash keeps a key small whatever they hold.
 */
export function expiringKey(...parts: readonly string[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer');
}

/** The key of the scope in which a token is used once. */
export function useKey({ audience, iss, wid, jti }: TokenUse): Buffer {
  return expiringKey(audience, iss, wid, jti);
}

/** What is remembered of a use. */
export function valueOfUse({ digest, requestId, signingInput }: TokenUse): StoredValue {
  return { digest, label: requestId, content: signingInput };
}

/** What a use is, given the earlier use under its key; `undefined` if it was the first. */
export function claimOf(use: TokenUse, stored: StoredValue | undefined): Claim {
  if (stored === undefined) return 'fresh';
  if (Buffer.compare(stored.digest, use.digest) !== 0) return { firstSigningInput: stored.content };
  return use.requestId !== '' && stored.label === use.requestId ? 'repeated' : 'replayed';
}
