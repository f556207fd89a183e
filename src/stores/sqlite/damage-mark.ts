// That a ledger was found damaged, kept in a file beside it: so that every process that shares the ledger knows, and the next
// one after a restart too.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Damage } from './ledger-examiner.ts';

/** Whether a ledger is damaged, as far as is known. */
export class DamageMark {
  readonly #path: string;
  readonly #onFound: (damage: Damage) => void;
  #isFound: boolean;
  /** Whether the file was there when it was looked for last, or was written since. */
  #isOnDisk: boolean;

  /** `path`: of the file that says so. `onFound` is called for everything that is found by this process. */
  constructor(path: string, onFound: (damage: Damage) => void) {
    this.#path = path;
    this.#onFound = onFound;
    this.#isOnDisk = existsSync(path);
    this.#isFound = this.#isOnDisk;
  }

  isFound(): boolean {
    return this.#isFound;
  }

  /** From here on the ledger counts as damaged. */
  found(damage: Damage): void {
    this.#isFound = true;
    this.#onFound(damage);
    if (this.#isOnDisk) return;
    try {
      writeFileSync(this.#path, `${JSON.stringify(damage)}\n`, { mode: 0o600 });
      this.#isOnDisk = true;
    } catch {
      // The disk may be what is broken. This process knows all the same.
    }
  }

  /** The ledger was examined as a whole, and is sound. False where the file cannot be removed: then it counts as damaged. */
  clear(): boolean {
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // A directory in its place, or a disk that takes nothing: the next pass tries again.
      return false;
    }
    this.#isOnDisk = false;
    this.#isFound = false;
    return true;
  }

  /** Takes in what other processes, or the operator, have done. */
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
