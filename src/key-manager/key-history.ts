// The states of the signing keys, computed from the ledger's entries in order. An entry that violates a rule is a fault and
// changes nothing, so it never makes a key trusted. Delegated keys that no longer matter may be removed; their states can be
// computed again from their own entries and the root keys.

import type { KeyEntry, KeyState } from './key-entry.ts';
import { announce, change, fallWith, type KeyRecord, type Revocation, type Surroundings } from './key-states.ts';

export class KeyHistory {
  readonly #keys = new Map<string, KeyRecord>();
  /** By number, each with its former states. */
  readonly #roots: Root[] = [];
  readonly #rootByKid = new Map<string, Root>();
  readonly #around: Surroundings;

  /** If `issuer` is given, delegated keys must be certified for it. */
  constructor(issuer?: string) {
    const roots = this.#roots;
    this.#around = {
      get rootCount() {
        return roots.length;
      },
      issuer,
      rootBefore: (kid, index) => this.#rootBefore(kid, index),
    };
  }

  get(kid: string): KeyRecord | undefined {
    return this.#keys.get(kid);
  }

  /** Every key, in the order of the announcements. */
  all(): readonly KeyRecord[] {
    return [...this.#keys.values()].sort((one, other) => one.announcedIndex - other.announcedIndex);
  }

  /** The root keys, by number. */
  roots(): readonly KeyRecord[] {
    return this.#roots.map(({ kid }) => this.#keys.get(kid) as KeyRecord);
  }

  /** The newest active root key. */
  activeRoot(): KeyRecord | undefined {
    return this.roots().findLast(({ state }) => state === 'active');
  }

  /** The next root key: announced, and no later one is active. */
  nextRoot(): KeyRecord | undefined {
    return this.roots().find((key) => key.state === 'announced' && !this.isPassedOver(key));
  }

  /** Whether a later root key became active first, in an urgent rotation. */
  isPassedOver({ generation = 0 }: KeyRecord): boolean {
    return generation < (this.activeRoot()?.generation ?? -1);
  }

  /**
   * Adds the next entry. If it violates a rule, returns a message and changes nothing. A removed key must be restored before an entry
   * about it is added.
   */
  add(entry: KeyEntry): string | undefined {
    const fault = entry.state === 'announced' ? this.#announce(entry) : this.#change(entry);
    return fault === undefined ? undefined : `key ${entry.kid}: ${fault}`;
  }

  /** Removes delegated keys. Root keys stay, because certificates are verified with them. */
  letGo(isOver: (key: KeyRecord) => boolean): void {
    for (const key of this.#keys.values()) {
      if (key.generation === undefined && isOver(key)) this.#keys.delete(key.kid);
    }
  }

  /** The state of a delegated key after all of its entries, in order; undefined if it was never announced. */
  past(entries: readonly KeyEntry[]): KeyRecord | undefined {
    let key: KeyRecord | undefined;
    for (const entry of entries) {
      key = key && this.#withRoot(key, entry.index);
      const next = nextOf(key, entry, this.#around);
      if (typeof next !== 'string') key = next;
    }
    return key && this.#withRoot(key, Number.POSITIVE_INFINITY);
  }

  /** Restores a key that `past` returned. */
  restore(key: KeyRecord): void {
    this.#keys.set(key.kid, key);
  }

  #announce(entry: KeyEntry): string | undefined {
    const { kid, index, generation } = entry;
    const key = nextOf(this.#keys.get(kid), entry, this.#around);
    if (typeof key === 'string') return key;
    this.#keys.set(kid, key);
    if (generation === undefined) return undefined;
    const root: Root = { kid, publicKey: key.publicKey, states: [{ index, state: 'announced' }], revoked: undefined };
    this.#roots.push(root);
    this.#rootByKid.set(kid, root);
    return undefined;
  }

  #change(entry: KeyEntry): string | undefined {
    const { kid, index, state } = entry;
    const key = nextOf(this.#keys.get(kid), entry, this.#around);
    if (typeof key === 'string') return key;
    this.#keys.set(kid, key);
    const root = this.#rootByKid.get(kid);
    root?.states.push({ index, state });
    if (root === undefined || key.revoked === undefined) return undefined;
    root.revoked = { ...key.revoked, index };
    for (const other of this.#keys.values()) {
      if (other.certificate?.says.rootKid === kid) this.#keys.set(other.kid, fallWith(other, key.revoked));
    }
    return undefined;
  }

  #rootBefore(kid: string, index: number): ReturnType<Surroundings['rootBefore']> {
    const root = this.#rootByKid.get(kid);
    const state = root?.states.findLast((each) => each.index < index)?.state;
    return root === undefined || state === undefined ? undefined : { publicKey: root.publicKey, state };
  }

  /** A delegated key, with the state of its root key before an entry. */
  #withRoot(key: KeyRecord, beforeIndex: number): KeyRecord {
    const revoked = this.#rootByKid.get(key.certificate?.says.rootKid ?? '')?.revoked;
    return revoked === undefined || revoked.index >= beforeIndex
      ? key
      : fallWith(key, { atMs: revoked.atMs, sinceMs: revoked.sinceMs });
  }
}

interface Root {
  readonly kid: KeyRecord['kid'];
  readonly publicKey: KeyRecord['publicKey'];
  readonly states: { readonly index: number; readonly state: KeyState }[];
  revoked: (Revocation & { readonly index: number }) | undefined;
}

function nextOf(before: KeyRecord | undefined, entry: KeyEntry, around: Surroundings): KeyRecord | string {
  if (entry.state === 'announced') return before === undefined ? announce(entry, around) : 'it was announced before';
  return before === undefined ? `it is ${entry.state} but was never announced` : change(before, entry);
}
