// Applies changes of configuration files while the service runs. It checks the files when a directory changes, on request (SIGHUP), and
// at intervals.

import { setTimeout as pause } from 'node:timers/promises';
import { digestOf, readContents } from './contents.ts';
import type { FileGroup, LoadedGroup } from './file-group.ts';
import { judge, type Seen, type Standing, standingAfter } from './judgement.ts';
import { DirectoryWatcher } from './watcher.ts';

/** The results of checking changed files. */
export interface ReloadEvents {
  filesReloaded(files: string): void;
  /** The files on disk are invalid. The previous ones stay in use. */
  reloadRejected(files: string, why: string): void;
  /** The files on disk are again those in use. */
  reloadRestored(files: string): void;
}

export interface ReloadTimes {
  /** How long to wait after a hint: writers make several changes in a row. */
  readonly gatherMs: number;
  /** Changed files are read when they have stayed the same for this long: a writer may not have finished. */
  readonly settleMs: number;
  /** The interval of checks without a hint. */
  readonly pollMs: number;
}

const TIMES: ReloadTimes = { gatherMs: 100, settleMs: 250, pollMs: 30_000 };
/** After this many checks, files are parsed even if they keep changing. */
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
  /** Checks run one after another. */
  #looking: Promise<void> = Promise.resolve();

  constructor(events: ReloadEvents, times: Partial<ReloadTimes> = {}) {
    this.#events = events;
    this.#times = { ...TIMES, ...times };
  }

  /** Watches a group that has been loaded. `putInForce` must apply the whole value or throw. */
  add<Value>(loaded: LoadedGroup<Value>, putInForce: (value: Value) => void | Promise<void>): void {
    if (!loaded.isReloadable) return;
    const standing = { inForce: loaded.digest, rejected: undefined };
    // Only values of this group are passed to it.
    this.#watched.push({ group: loaded.group, putInForce: putInForce as Watched['putInForce'], standing });
  }

  /** Starts watching, and checks once, because the files may have changed since they were loaded. */
  start(): void {
    const paths = this.#watched.flatMap(({ group }) => group.paths);
    if (paths.length === 0) return;
    this.#watcher = new DirectoryWatcher(paths, () => this.#onHint());
    this.#poll = setInterval(() => void this.look(), this.#times.pollMs).unref();
    void this.look();
  }

  /** Checks all files. `isAsked`: an operator has requested it, so known faults are reported again. */
  look(isAsked = false): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      // Before the files are read, so that later changes give a hint.
      await this.#watcher?.refresh();
      for (const watched of this.#watched) if (!this.#stopped.signal.aborted) await this.#lookAt(watched, isAsked);
    });
    return this.#looking;
  }

  /** Stops watching, and waits for a running check. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#poll);
    clearTimeout(this.#hint);
    this.#watcher?.close();
    await this.#looking;
  }

  #onHint(): void {
    // Further hints do not delay the check; otherwise a busy directory would never be checked.
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

  /** Reads the files again, and applies them if they are valid and new. Undefined: the watch has ended meanwhile. */
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
      // Known contents need no further wait.
      if (digest === inForce || digest === rejected?.digest) return contents;
      const { signal } = this.#stopped;
      await pause(this.#times.settleMs, undefined, { signal }).catch(() => {}); // It rejects when the watch ends.
      if (signal.aborted) return undefined;
      const before = digest;
      contents = await readContents(paths);
      digest = digestOf(contents);
      if (digest === before) return contents;
    }
    return contents;
  }
}
