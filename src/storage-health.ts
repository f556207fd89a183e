// Whether the files of the service can be written and are sound, from what really happened to them: their writes, a write that
// changes nothing where there was none for a while, and what the scrub of the ledger has found.

import type { Events } from './events.ts';
import { type Probe, startProbe } from './probe.ts';
import {
  type Damage,
  DamageMark,
  LedgerScrub,
  type StorageStage,
  type StorageWatch,
  type WritableStore,
} from './stores/sqlite/index.ts';

export interface StorageHealthOptions {
  /** The file that says that the ledger was found damaged. */
  readonly markPath: string;
  readonly events: Events;
}

/** What is watched once the stores are open. */
export interface WatchedStorage {
  readonly stores: readonly WritableStore[];
  /** Whether there is more free space than the floor. */
  readonly hasRoom: () => boolean;
  /** What to scrub; undefined where another process does, or nobody is to. */
  readonly scrub: { readonly file: string; readonly verifierKey: string; readonly entriesPerSecond: number } | undefined;
}

/** The same fault may be met by every read. */
const MAX_TOLD_FAULTS = 100;

export class StorageHealth implements StorageWatch {
  readonly #events: Events;
  readonly #toldFaults = new Set<string>();
  /** By file and stage: failures that were told, and are not over. */
  readonly #failing = new Set<string>();
  readonly #lost = Promise.withResolvers<void>();
  #stores: readonly WritableStore[] = [];
  #probe: Probe | undefined;
  #scrub: LedgerScrub | undefined;
  #isScrubbing = false;
  /** Whether the scrub could not read the file when it last tried. */
  #isUnreadable = false;
  /** What is known of damage. */
  readonly damage: DamageMark;

  constructor({ markPath, events }: StorageHealthOptions) {
    this.#events = events;
    this.damage = new DamageMark(markPath, (found) => this.#tellDamage(found));
    if (this.damage.isFound()) events.ledgerDamaged({ index: null, fault: 'it was found damaged before' });
  }

  /** Settles when a file can be written again by a new process only. */
  get lostFile(): Promise<void> {
    return this.#lost.promise;
  }

  /** Begins to ask, every second, and to scrub. */
  watch({ stores, hasRoom, scrub }: WatchedStorage): void {
    this.#stores = stores;
    this.#probe = startProbe(() => this.#ask(hasRoom));
    if (scrub === undefined) return;
    this.#scrub = new LedgerScrub(scrub, {
      examined: (entries) => {
        this.#isUnreadable = false;
        this.#events.ledgerScrubbed(entries);
      },
      damaged: (damage) => {
        this.#isScrubbing = true;
        this.damage.found(damage);
        this.#isScrubbing = false;
      },
      passed: (entries, isSound) => this.#passed(entries, isSound),
      failed: (cause) => {
        this.#events.storageFailed('ledger.db', 'scrub', cause, !this.#isUnreadable);
        this.#isUnreadable = true;
      },
    });
    if (this.damage.isFound()) this.#scrub.hurry();
  }

  /** What readiness shows: whether files can be written, and whether the ledger is sound. */
  checks(): { readonly storage: boolean; readonly integrity: boolean } {
    const isWritable = this.#stores.every((store) => store.isWritable()) && this.#probe?.holds() !== false;
    return { storage: isWritable && !this.#isUnreadable, integrity: !this.damage.isFound() };
  }

  failed(file: string, stage: StorageStage, cause: unknown): void {
    const name = `${file} ${stage}`;
    this.#events.storageFailed(file, stage, cause, !this.#failing.has(name));
    this.#failing.add(name);
  }

  lost(file: string): void {
    this.#events.storageLost(file);
    this.#lost.resolve();
  }

  async stop(): Promise<void> {
    this.#probe?.stop();
    await this.#scrub?.stop();
  }

  /** One after the other: two connections to one file would wait for each other's lock. */
  async #ask(hasRoom: () => boolean): Promise<void> {
    await this.damage.look();
    if (!hasRoom() && this.#stores.some((store) => store.isFull())) throw new Error('the disk is full');
    for (const store of this.#stores) await store.checkWrites();
    if (this.#failing.size === 0) return;
    this.#failing.clear();
    this.#events.storageWritable();
  }

  #tellDamage(damage: Damage): void {
    const { index, fault } = damage;
    if (!this.#isScrubbing) this.#scrub?.hurry();
    const text = `${index} ${fault}`;
    if (this.#toldFaults.has(text) || this.#toldFaults.size >= MAX_TOLD_FAULTS) return;
    this.#toldFaults.add(text);
    this.#events.ledgerDamaged(damage);
  }

  #passed(entries: number, isSound: boolean): void {
    this.#isUnreadable = false;
    this.#events.ledgerPassed(entries, isSound);
    if (!isSound || !this.damage.isFound()) return;
    this.damage.clear();
    this.#toldFaults.clear();
    this.#events.ledgerSound();
  }
}
