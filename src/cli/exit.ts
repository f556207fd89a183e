// How a command ends: its exit code, and the one exception that means "no".

import type { ErrorReason } from '../errors.ts';

/** What every command ends with. */
export const EXIT = { ok: 0, rejected: 1, usage: 2 } as const;

/** What they mean. `ect serve` has one more. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'ok: it was done, or the answer is yes'],
  [EXIT.rejected, 'the answer is no, or it could not be done'],
  [EXIT.usage, 'wrong usage: the command line, a setting, or a file that they name'],
];

/** What a person needs to know about a failure. Remote text in it is printed through `plain`. */
export interface Failure {
  /** A value of ErrorReason, or a reason of the command line itself (lower case). */
  readonly reason: ErrorReason | (string & {});
  readonly message: string;
  /** Several mistakes, each printed on its own line: `file:line:column: what`. */
  readonly faults?: readonly string[];
  /** What to do next. Empty where nothing is known. */
  readonly remedy: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the command line calls the field of `metadata`, for people. */
  readonly field?: string;
}

/** What to do where a store that a command opens itself does not work: no service is asked, and none has a log of it. */
export const STORE_REMEDY =
  'Do what the message says. If it names no step, look at what the system reports about the disks, and repeat the command.';

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
  /** Several mistakes, each printed on its own line. */
  readonly faults: readonly string[];

  constructor(
    message: string,
    { faults = [], ...options }: ErrorOptions & { readonly faults?: readonly string[] } = {},
  ) {
    super(message, options);
    this.faults = faults;
  }
}

/** `a mistake`, `3 mistakes`. */
export function mistakeCount(count: number): string {
  return count === 1 ? 'a mistake' : `${count} mistakes`;
}
