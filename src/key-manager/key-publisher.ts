// Publishes the key set, and passes the trusted keys to verifiers, after each change of the key states.

import { type TrustedKey, writeKeySet } from '../keys/index.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyRecord } from './key-states.ts';
import type { KeyManagerPolicy } from './ports.ts';
import { asPublishedJwk, asTrustedKey, forgottenAt, publishedKeys } from './published.ts';

export class KeyPublisher {
  readonly #history: KeyHistory;
  readonly #policy: Pick<KeyManagerPolicy, 'retention' | 'speaksFor'>;
  readonly #onTrust: (keys: readonly TrustedKey[]) => void;
  #trusted = new WeakMap<KeyRecord, TrustedKey>();
  #published: readonly KeyRecord[] = [];
  #keySet = writeKeySet([]);
  #hasNews = true;
  /** When the next key expires, by the earliest plausible time. */
  #forgetAtMs = 0;
  #updatedAtMs = 0;

  /** `onTrust` is called for the trusted keys whenever they have changed. */
  constructor(
    history: KeyHistory,
    policy: Pick<KeyManagerPolicy, 'retention' | 'speaksFor'>,
    onTrust: (keys: readonly TrustedKey[]) => void,
  ) {
    this.#history = history;
    this.#policy = policy;
    this.#onTrust = onTrust;
  }

  /** The JWK Set document, byte for byte. */
  get keySet(): string {
    return this.#keySet;
  }

  /** The keys of the key set. */
  get published(): readonly KeyRecord[] {
    return this.#published;
  }

  /** The history has a new entry, which the next update publishes. */
  noteEntry(): void {
    this.#hasNews = true;
  }

  /** Publishes the current state of the history, and removes expired keys. */
  update(nowMs: number, earliestMs: number): void {
    const wentBack = nowMs < this.#updatedAtMs;
    this.#updatedAtMs = nowMs;
    if (!this.#hasNews && !wentBack && earliestMs < this.#forgetAtMs) return;
    this.#hasNews = false;
    // A key that was read while the clock was ahead was valid from that time only; now it is corrected.
    if (wentBack) this.#trusted = new WeakMap();
    const { retention, speaksFor } = this.#policy;
    this.#history.letGo((key) => forgottenAt(key, retention) <= earliestMs);
    const keys = this.#history.all();
    this.#published = publishedKeys(keys, retention, earliestMs);
    this.#forgetAtMs = keys
      .map((key) => forgottenAt(key, retention))
      .reduce((least, atMs) => (atMs > earliestMs ? Math.min(least, atMs) : least), Number.POSITIVE_INFINITY);
    this.#keySet = writeKeySet(this.#published.map(asPublishedJwk));
    this.#onTrust(
      keys.map((key) => {
        const known = this.#trusted.get(key) ?? asTrustedKey(key, speaksFor, retention, nowMs);
        this.#trusted.set(key, known);
        return known;
      }),
    );
  }
}
