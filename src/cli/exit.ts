// The exit codes of commands, and the exceptions that lead to them.

import type { ErrorReason } from '../errors.ts';

/** The exit codes of all commands. */
export const EXIT = { ok: 0, rejected: 1, usage: 2 } as const;

/** The meaning of the exit codes. `ect serve` has one more. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'ok: it was done, or the answer is yes'],
  [EXIT.rejected, 'the answer is no, or it could not be done'],
  [EXIT.usage, 'wrong usage: a value of the command line or a setting, or a file to read'],
];

/** A failure in a form for users. Text of a service in it is printed through `plain`. */
export interface Failure {
  /** A value of ErrorReason, or a reason of the command line itself (in lower case). */
  readonly reason: ErrorReason | (string & {});
  readonly message: string;
  /** Several faults, each printed on its own line: `file:line:column: what`. */
  readonly faults?: readonly string[];
  /** What to do next. Empty if unknown. */
  readonly remedy: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The option or argument that corresponds to the field in `metadata`. */
  readonly field?: string;
  /** Whether the value of an option or argument is at fault: wrong usage, although a service has found it. */
  readonly isUsage?: boolean;
}

/** The remedy for a failing store that a command opens itself. No service is involved, so there is no log to read. */
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

/** Ends a command with exit code 2: an argument turned out to be wrong while it was used. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
  /** Several faults, each printed on its own line. */
  readonly faults: readonly string[];

  constructor(
    message: string,
    { faults = [], ...options }: ErrorOptions & { readonly faults?: readonly string[] } = {},
  ) {
    super(message, options);
    this.faults = faults;
  }
}

/** Returns `a mistake`, `3 mistakes`. */
export function mistakeCount(count: number): string {
  return count === 1 ? 'a mistake' : `${count} mistakes`;
}
