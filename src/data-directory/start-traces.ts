// What the owner of a data directory leaves in it before there is anything to own. Where a start is rejected by then, it takes
// that away again.

import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { type DataDir, filesIn } from './data-dir.ts';

/** Taken before anything is made in the directory at `path`, which may be missing. */
export class StartTraces {
  readonly #dir: DataDir;
  readonly #isNew: boolean;
  readonly #hadOwner: boolean;

  constructor(path: string) {
    this.#dir = filesIn(path);
    this.#isNew = !existsSync(path);
    this.#hadOwner = existsSync(this.#dir.owner);
  }

  /** Only where no file of a service is there, and only what was not there before. The directory is still owned. */
  remove(): void {
    const { path, lock, owner, signingKey, kmsKey, ledgerKey, mark, ledger, once, clock } = this.#dir;
    if ([signingKey, kmsKey, ledgerKey, mark, ledger, once, clock].some((file) => existsSync(file))) return;
    try {
      if (!this.#hadOwner) rmSync(owner, { force: true });
      if (!this.#isNew) return;
      rmSync(lock, { force: true });
      rmdirSync(path);
    } catch {
      // Another party has put something there meanwhile, or the disk fails: what is left does no harm.
    }
  }
}
