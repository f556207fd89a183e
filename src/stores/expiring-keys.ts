// The shared parts of the tables of expiring keys: their keys and values, and the rule of a second use.

import { hash } from 'node:crypto';
import type { Claim, TokenUse } from '../authority/index.ts';

/** The value under a key. */
export interface StoredValue {
  /** 32 bytes that identify the content. */
  readonly digest: Uint8Array;
  /** A short name; empty for none. */
  readonly label: string;
  readonly content: string;
}

/** A key to store, with its value; `keepUntil` and `now` in seconds since the epoch. */
export interface KeyClaim {
  /** 32 bytes: see expiringKey. */
  readonly key: Uint8Array;
  readonly value: StoredValue;
  readonly keepUntil: number;
  readonly now: number;
}

/** A table of expiring keys: durable, or in memory. */
export interface ExpiringKeys {
  /** Returns the value of the key, if its row has not expired at `now`. */
  get(key: Uint8Array, now: number): Promise<StoredValue | undefined>;
  /** Stores the key unless an unexpired row has it; then returns that row. Atomic across all processes that share the storage. */
  putIfAbsent(claim: KeyClaim): Promise<StoredValue | undefined>;
  close(): Promise<void>;
}

/** The kinds of expiring keys: uses of tokens, and issued tokens by request id. */
export type ExpiringKeyKind = 'uses' | 'issued';
export const EXPIRING_KEY_KINDS: readonly ExpiringKeyKind[] = ['uses', 'issued'];

/** A stored row; `keepUntil` in seconds since the epoch. */
export interface ExpiringKeyRow extends StoredValue {
  /** 32 bytes: see expiringKey. */
  readonly key: Uint8Array;
  readonly keepUntil: number;
}

/** All rows of a store, for a copy. No service may have the store open. */
export interface ExpiringKeyRows {
  /** At most `limit` rows after a key, in the order of keys. After an empty key: the first ones. */
  after(kind: ExpiringKeyKind, key: Uint8Array, limit: number): Promise<readonly ExpiringKeyRow[]>;
  /** Adds rows, durably. Of two rows with one key the one with the later expiry stays. */
  add(kind: ExpiringKeyKind, rows: readonly ExpiringKeyRow[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Hashes the parts of a key to 32 bytes. The parts are attacker-controlled, so they are joined as JSON, in which their boundaries are
 * unambiguous; the hash limits the size.
 */
export function expiringKey(...parts: readonly string[]): Buffer {
  return hash('sha256', JSON.stringify(parts), 'buffer');
}

/** The key of the use of a token. */
export function useKey({ audience, iss, wid, jti }: TokenUse): Buffer {
  return expiringKey(audience, iss, wid, jti);
}

/** The value of a use. */
export function valueOfUse({ digest, requestId, signingInput }: TokenUse): StoredValue {
  return { digest, label: requestId, content: signingInput };
}

/** The outcome of a claim, given the earlier use under its key; `undefined`: it is the first. */
export function claimOf(use: TokenUse, stored: StoredValue | undefined): Claim {
  if (stored === undefined) return 'fresh';
  if (Buffer.compare(stored.digest, use.digest) !== 0) return { firstSigningInput: stored.content };
  return use.requestId !== '' && stored.label === use.requestId ? 'repeated' : 'replayed';
}
