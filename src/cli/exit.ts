// How a command ends: its exit code, and the one exception that means "no".

import type { ErrorReason } from '../errors.ts';

/** 0: success. 1: rejected, or failed. 2: wrong usage. */
export const EXIT = { ok: 0, rejected: 1, usage: 2 } as const;

/** What a person needs to know about a failure. Remote text in it is printed through `plain`. */
export interface Failure {
  /** A value of ErrorReason, or a reason of the command line itself (lower case). */
  readonly reason: ErrorReason | (string & {});
  readonly message: string;
  /** What to do next. Empty where nothing is known. */
  readonly remedy: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Ends a command with exit code 1 and prints its failure. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Ends a command with exit code 2: an argument that only turned out wrong while it was used. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
}
