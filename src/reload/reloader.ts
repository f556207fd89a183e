// Keeps what is in force equal to what the files say, as long as they can be used. Looks when a directory has changed, when it
// is asked to (SIGHUP), and now and then.

import { setTimeout as pause } from 'node:timers/promises';
import { digestOf, readContents } from './contents.ts';
import type { FileGroup, LoadedGroup } from './file-group.ts';
import { judge, type Seen, type Standing, standingAfter } from './judgement.ts';
import { DirectoryWatcher } from './watcher.ts';

/** Called for what became of files that have changed. */
export interface ReloadEvents {
  filesReloaded(files: string): void;
  /** The files on disk cannot be used; those before stay in force. */
  reloadRejected(files: string, why: string): void;
  /** The files in force are on disk again. */
  reloadRestored(files: string): void;
}

export interface ReloadTimes {
  /** From a hint to a look: writers come in bursts. */
  readonly gatherMs: number;
  /** Files that have changed count when they have stayed the same for so long: a writer may be half way through. */
  readonly settleMs: number;
  /** Between looks without a hint. */
  readonly pollMs: number;
}

const TIMES: ReloadTimes = { gatherMs: 100, settleMs: 250, pollMs: 30_000 };
/** Files that never stay the same are judged all the same after so many looks. */
const MAX_LOOKS = 20;

interface Watched {
  readonly group: FileGroup<unknown>;
  readonly putInForce: (value: unknown) => void | Promise<void>;
  standing: Standing;
}

export class Reloader {
  readonly #events: ReloadEvents;
  readonly #times: ReloadTimes;
  readonly #watched: Watched[] = [];
  readonly #stopped = new AbortController();
  #watcher: DirectoryWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #hint: NodeJS.Timeout | undefined;
  /** One look at a time. */
  #looking: Promise<void> = Promise.resolve();

  constructor(events: ReloadEvents, times: Partial<ReloadTimes> = {}) {
    this.#events = events;
    this.#times = { ...TIMES, ...times };
  }

  /** Watches a group that has been loaded. `putInForce` either takes the value as a whole or throws. */
  add<Value>(loaded: LoadedGroup<Value>, putInForce: (value: Value) => void | Promise<void>): void {
    if (!loaded.isReloadable) return;
    const standing = { inForce: loaded.digest, rejected: undefined };
    // Only values of this very group come back to it.
    this.#watched.push({ group: loaded.group, putInForce: putInForce as Watched['putInForce'], standing });
  }

  /** Begins to watch. Looks at once: the files may have changed since they were loaded. */
  start(): void {
    const paths = this.#watched.flatMap(({ group }) => group.paths);
    if (paths.length === 0) return;
    this.#watcher = new DirectoryWatcher(paths, () => this.#onHint());
    this.#poll = setInterval(() => void this.look(), this.#times.pollMs).unref();
    void this.look();
  }

  /** Looks at all files. `isAsked`: an operator wants to know, so what is wrong is said again. */
  look(isAsked = false): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      // Before the files are read: what changes after that gives a hint.
      await this.#watcher?.refresh();
      for (const watched of this.#watched) if (!this.#stopped.signal.aborted) await this.#lookAt(watched, isAsked);
    });
    return this.#looking;
  }

  /** Ends the watch, and waits for a look that is under way. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#poll);
    clearTimeout(this.#hint);
    this.#watcher?.close();
    await this.#looking;
  }

  #onHint(): void {
    // Not put off by further hints, or a directory that is always busy would never be looked at.
    this.#hint ??= setTimeout(() => {
      this.#hint = undefined;
      void this.look();
    }, this.#times.gatherMs).unref();
  }

  async #lookAt(watched: Watched, isAsked: boolean): Promise<void> {
    const { group, standing } = watched;
    const seen = await this.#see(watched);
    if (seen === undefined) return;
    const judgement = judge(standing, seen);
    watched.standing = standingAfter(standing, seen, judgement);
    if (judgement.kind === 'replaced') this.#events.filesReloaded(group.name);
    else if (judgement.kind === 'restored') this.#events.reloadRestored(group.name);
    else if (judgement.kind === 'refused' && (judgement.isNews || isAsked)) {
      this.#events.reloadRejected(group.name, judgement.why);
    }
  }

  /** What the files say now; put in force where it can be used and is new. Undefined: the watch has ended meanwhile. */
  async #see({ group, standing, putInForce }: Watched): Promise<Seen<unknown> | undefined> {
    const contents = await this.#readSettled(group.paths, standing);
    if (contents === undefined) return undefined;
    const digest = digestOf(contents);
    if (digest === standing.inForce) return { digest, value: undefined };
    try {
      const value = await group.parse(contents);
      await putInForce(value);
      return { digest, value };
    } catch (error) {
      return { digest, why: error instanceof Error ? error.message : String(error) };
    }
  }

  async #readSettled(paths: readonly string[], { inForce, rejected }: Standing) {
    let contents = await readContents(paths);
    let digest = digestOf(contents);
    for (let looks = 1; looks < MAX_LOOKS; looks++) {
      // What is known has been waited for before.
      if (digest === inForce || digest === rejected?.digest) return contents;
      const { signal } = this.#stopped;
      await pause(this.#times.settleMs, undefined, { signal }).catch(() => {}); // Rejected when the watch ends.
      if (signal.aborted) return undefined;
      const before = digest;
      contents = await readContents(paths);
      digest = digestOf(contents);
      if (digest === before) return contents;
    }
    return contents;
  }
}
