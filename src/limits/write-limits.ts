// Combines both limits on writes: the quota of each caller, and the free space of the disk.

import type { WriteLimits, WriteUse } from '../authority/index.ts';
import { EctError, type ErrorReason } from '../errors.ts';
import type { FreeSpace } from './free-space.ts';
import type { WriteQuota } from './write-quota.ts';

export interface CallerWriteLimitsOptions {
  /** Undefined: callers have no quota. */
  readonly quota: WriteQuota | undefined;
  /** Undefined: nothing is kept on a disk. */
  readonly space: FreeSpace | undefined;
  /** What is stored on that disk; the rest is stored in memory. */
  readonly onDisk: ReadonlySet<WriteUse>;
  /** Called for every rejection, and for all bytes taken or, with a negative number, refunded. Must not throw. */
  readonly onRejected: (use: WriteUse, reason: ErrorReason) => void;
  readonly onTaken: (use: WriteUse, bytes: number) => void;
}

export class CallerWriteLimits implements WriteLimits {
  readonly #options: CallerWriteLimitsOptions;

  constructor(options: CallerWriteLimitsOptions) {
    this.#options = options;
  }

  demand(caller: string, use: WriteUse, bytes: number): void {
    this.#rejecting(use, () => {
      this.#demandSpace(use);
      this.#options.quota?.demand(caller, bytes);
    });
  }

  take(caller: string, use: WriteUse, bytes: number): void {
    const { quota, onTaken } = this.#options;
    const space = this.#spaceFor(use);
    this.#rejecting(use, () => {
      this.#demandSpace(use);
      quota?.take(caller, bytes);
    });
    space?.wrote(bytes);
    onTaken(use, bytes);
  }

  /** The free space is not increased: the next measurement corrects it. */
  refund(caller: string, use: WriteUse, bytes: number): void {
    this.#options.quota?.refund(caller, bytes);
    this.#options.onTaken(use, -bytes);
  }

  #spaceFor(use: WriteUse): FreeSpace | undefined {
    return this.#options.onDisk.has(use) ? this.#options.space : undefined;
  }

  #demandSpace(use: WriteUse): void {
    const space = this.#spaceFor(use);
    if (use === 'proof') space?.demandForProof();
    else space?.demand();
  }

  #rejecting(use: WriteUse, check: () => void): void {
    try {
      check();
    } catch (error) {
      if (error instanceof EctError) this.#options.onRejected(use, error.reason);
      throw error;
    }
  }
}
