// Records that a ledger is damaged, in a file beside it, for all processes that share the ledger, and after a restart.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Damage } from './ledger-examiner.ts';

/** Whether a ledger is known to be damaged. */
export class DamageMark {
  readonly #path: string;
  readonly #onFound: (damage: Damage) => void;
  #isFound: boolean;
  /** Whether the file existed at the last check, or was written since. */
  #isOnDisk: boolean;

  /** `path`: of the file. `onFound` is called for all damage that this process finds. */
  constructor(path: string, onFound: (damage: Damage) => void) {
    this.#path = path;
    this.#onFound = onFound;
    this.#isOnDisk = existsSync(path);
    this.#isFound = this.#isOnDisk;
  }

  isFound(): boolean {
    return this.#isFound;
  }

  /** Marks the ledger as damaged. */
  found(damage: Damage): void {
    this.#isFound = true;
    this.#onFound(damage);
    if (this.#isOnDisk) return;
    try {
      writeFileSync(this.#path, `${JSON.stringify(damage)}\n`, { mode: 0o600 });
      this.#isOnDisk = true;
    } catch {
      // The disk itself may be damaged. This process knows anyway.
    }
  }

  /**
   * Removes the mark after the whole ledger was examined and is sound. False if the file cannot be removed: then the ledger still counts
   * as damaged.
   */
  clear(): boolean {
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // A directory in its place, or a disk that rejects writes: the next pass tries again.
      return false;
    }
    this.#isOnDisk = false;
    this.#isFound = false;
    return true;
  }

  /** Reads changes by other processes or the operator. */
  async look(): Promise<void> {
    const isThere = await access(this.#path).then(
      () => true,
      () => false,
    );
    if (isThere) this.#isFound = true;
    else if (this.#isOnDisk) this.#isFound = false;
    this.#isOnDisk = isThere;
  }
}
