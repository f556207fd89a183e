// Whether the files of the service are writable and undamaged. It follows from actual events: writes, a write without effect if there was
// none for a while, and the results of the scrub.

import {
  type Damage,
  DamageMark,
  isCorruption,
  LedgerScrub,
  type ScrubbedFile,
  type ScrubOptions,
  type StorageStage,
  type StorageWatch,
  type WritableStore,
} from '../stores/sqlite/index.ts';
import type { Events } from './events.ts';
import { type HealthProbe, startHealthProbe } from './health-probe.ts';

export interface StorageHealthOptions {
  /** The files that state that a store is damaged. */
  readonly ledgerMark: string;
  readonly onceMark: string;
  readonly events: Events;
}

/** What is watched after the stores have been opened. */
export interface WatchedStorage {
  readonly stores: readonly WritableStore[];
  /** Whether there is more free space than the reserve. */
  readonly hasRoom: () => boolean;
  /** The options of the scrub; undefined if another process scrubs, or if there is no scrub. */
  readonly scrub: ScrubOptions | undefined;
}

/** The maximum number of remembered faults. Every read can find the same fault. */
const MAX_REPORTED_FAULTS = 100;

export class StorageHealth implements StorageWatch {
  readonly #events: Events;
  readonly #marks: ReadonlyMap<string, DamageMark>;
  readonly #reportedFaults = new Set<string>();
  /** The reported failures that have not ended, by file and stage. */
  readonly #failing = new Set<string>();
  readonly #lost = Promise.withResolvers<void>();
  #stores: readonly WritableStore[] = [];
  #probe: HealthProbe | undefined;
  #scrub: LedgerScrub | undefined;
  #isScrubbing = false;
  /** Whether the scrub could not read a file in its last attempt. */
  #isUnreadable = false;
  /** The known damage of the ledger. */
  readonly ledgerDamage: DamageMark;
  /** The known damage of `once.db`. */
  readonly onceDamage: DamageMark;

  constructor({ ledgerMark, onceMark, events }: StorageHealthOptions) {
    this.#events = events;
    this.ledgerDamage = this.#mark('ledger.db', ledgerMark);
    this.onceDamage = this.#mark('once.db', onceMark);
    this.#marks = new Map([
      ['ledger.db', this.ledgerDamage],
      ['once.db', this.onceDamage],
    ]);
  }

  /** Resolves when a file can be written again by a new process only. */
  get lostFile(): Promise<void> {
    return this.#lost.promise;
  }

  /** Starts checking, every second, and scrubbing. */
  watch({ stores, hasRoom, scrub }: WatchedStorage): void {
    this.#stores = stores;
    this.#probe = startHealthProbe(() => this.#ask(hasRoom));
    if (scrub === undefined) return;
    this.#scrub = new LedgerScrub(scrub, {
      examined: (entries) => {
        this.#isUnreadable = false;
        this.#events.ledgerScrubbed(entries);
      },
      damaged: (file, damage) => this.#scrubFound(file, damage),
      passed: (file, entries, isSound) => this.#passed(file, entries, isSound),
      failed: (cause) => {
        this.#events.storageFailed('ledger.db', 'scrub', cause, !this.#isUnreadable);
        this.#isUnreadable = true;
      },
    });
    if (this.#isAnyDamaged()) this.#scrub.hurry();
  }

  /** Returns the readiness: whether files are writable, and whether they are undamaged. */
  checks(): { readonly storage: boolean; readonly integrity: boolean } {
    const isWritable = this.#stores.every((store) => store.isWritable()) && this.#probe?.holds() !== false;
    return { storage: isWritable && !this.#isUnreadable, integrity: !this.#isAnyDamaged() };
  }

  failed(file: string, stage: StorageStage, cause: unknown): void {
    const name = `${file} ${stage}`;
    this.#events.storageFailed(file, stage, cause, !this.#failing.has(name));
    if (isCorruption(cause)) this.#marks.get(file)?.found({ index: null, fault: 'SQLite calls it damaged' });
    this.#failing.add(name);
  }

  isDamaged(file: string): boolean {
    return this.#marks.get(file)?.isFound() === true;
  }

  lost(file: string): void {
    this.#events.storageLost(file);
    this.#lost.resolve();
  }

  async stop(): Promise<void> {
    this.#probe?.stop();
    await this.#scrub?.stop();
  }

  #mark(file: ScrubbedFile, path: string): DamageMark {
    const mark = new DamageMark(path, (damage) => this.#reportDamage(file, damage));
    if (mark.isFound()) this.#events.storageDamaged(file, { index: null, fault: 'it was found damaged before' });
    return mark;
  }

  #isAnyDamaged(): boolean {
    return [...this.#marks.values()].some((mark) => mark.isFound());
  }

  /** One file after another, because two connections to one file would wait for each other's lock. */
  async #ask(hasRoom: () => boolean): Promise<void> {
    for (const mark of this.#marks.values()) await mark.look();
    if (!hasRoom() && this.#stores.some((store) => store.isFull())) throw new Error('the disk is full');
    for (const store of this.#stores) await store.checkWrites();
    if (this.#failing.size === 0) return;
    this.#failing.clear();
    this.#events.storageWritable();
  }

  #scrubFound(file: ScrubbedFile, damage: Damage): void {
    const isNew = !this.#isAnyDamaged();
    this.#isScrubbing = true;
    this.#marks.get(file)?.found(damage);
    this.#isScrubbing = false;
    if (isNew) this.#scrub?.hurry();
  }

  #reportDamage(file: ScrubbedFile, damage: Damage): void {
    const { index, fault } = damage;
    // After damage was found elsewhere, the current pass of the scrub does not count as clean.
    if (!this.#isScrubbing) this.#scrub?.distrust();
    const text = `${file} ${index} ${fault}`;
    if (this.#reportedFaults.has(text) || this.#reportedFaults.size >= MAX_REPORTED_FAULTS) return;
    this.#reportedFaults.add(text);
    this.#events.storageDamaged(file, damage);
  }

  #passed(file: ScrubbedFile, entries: number, isSound: boolean): void {
    this.#isUnreadable = false;
    this.#events.storageScrubbed(file, entries, isSound);
    const mark = this.#marks.get(file);
    if (!isSound || mark?.isFound() !== true) return;
    if (!mark.clear()) return;
    this.#reportedFaults.clear();
    this.#events.storageSound(file);
    if (!this.#isAnyDamaged()) this.#scrub?.calm();
  }
}
