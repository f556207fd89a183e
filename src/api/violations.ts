// Collects all faults of a request. This runs only after the request was rejected for its first fault, so a valid request does not pay
// for it.

import { failureOf } from '../calls/failures.ts';
import { EctError, type Rejection, rejectAll } from '../errors.ts';

/** Reads a request with `read`. If that rejects it, throws all `faults` as one error. */
export function readAll<T>(read: () => T, faults: () => readonly Rejection[]): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    throw new EctError(rejectAll(withoutRepeats([error.rejection, ...faults()]), fieldOf), { cause: error.cause });
  }
}

/** The reader of one part of a request. `cleared` is the request without this part. */
export interface Reader<Request> {
  readonly read: () => unknown;
  readonly cleared: Partial<Request>;
}

/** Returns the faults of all parts of a request, and those of the whole request without the parts that cannot be read. */
export function faultsOf<Request>(
  request: Request,
  readers: readonly Reader<Request>[],
  faultsOfRest: (legible: Request) => readonly Rejection[],
): readonly Rejection[] {
  const faults: Rejection[] = [];
  let legible = request;
  for (const { read, cleared } of readers) {
    const found = rejectionsOf(read);
    faults.push(...found);
    if (found.length > 0) legible = { ...legible, ...cleared };
  }
  return [...faults, ...faultsOfRest(legible)];
}

/** Runs all checks, each of which may throw an EctError, and throws all rejections as one error. */
export function checkAll(...checks: readonly (() => unknown)[]): void {
  const [first, ...others] = checks.flatMap((check) => rejectionsOf(check));
  if (first !== undefined) throw new EctError(rejectAll(withoutRepeats([first, ...others]), fieldOf));
}

/** Throws the rejection, if there is one. */
export function rejectIf(rejection: Rejection | undefined): void {
  if (rejection !== undefined) throw new EctError(rejection);
}

/** Throws all rejections as one error, if there are any. */
export function checkFaults(faults: readonly Rejection[]): void {
  checkAll(...faults.map((fault) => () => rejectIf(fault)));
}

/** Runs a check and returns the rejections that it throws. */
export function rejectionsOf(check: () => unknown): readonly Rejection[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return [error.rejection];
  }
}

/** Returns the rejection with its field names prefixed with `path`. */
export function within(path: string, rejection: Rejection): Rejection {
  const { violations = [{ field: fieldOf(rejection), description: rejection.message }] } = rejection;
  return new EctError({ ...rejection, violations }).within(path).rejection;
}

/**
 * Converts an error about the content of one request field: if the token itself is invalid, the field is at fault. An error that already
 * names fields is unchanged, and so is one that depends on time or state.
 */
export function inField(field: string, error: EctError): EctError {
  const { reason, message, metadata: facts, violations } = error;
  const isKnown = violations.length > 0 || facts['field'] !== undefined;
  if (isKnown || failureOf(reason).detail?.as !== 'BadRequest') return error;
  return new EctError({ ...error.rejection, violations: [{ field, description: message }] }, causeOf(error));
}

/** Returns the result of `work`. A rejection is attributed to the field. */
export async function ofField<T>(field: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof EctError ? inField(field, error) : error;
  }
}

function causeOf({ cause }: EctError): ErrorOptions {
  return cause === undefined ? {} : { cause };
}

function withoutRepeats([first, ...others]: readonly [Rejection, ...Rejection[]]): readonly [
  Rejection,
  ...Rejection[],
] {
  const seen = new Set([whatIsWrong(first)]);
  return [first, ...others.filter((rejection) => seen.size < seen.add(whatIsWrong(rejection)).size)];
}

/** Makes equal faults comparable: the same fault may be found twice, but the same message about two fields is two faults. */
function whatIsWrong({ violations, ...rejection }: Rejection): string {
  const fields = violations?.map(({ field }) => field) ?? [fieldOf(rejection)];
  return `${fields.join(' ')} ${rejection.message}`;
}

function fieldOf({ reason, metadata: facts }: Rejection): string {
  return facts['field'] ?? facts['claim'] ?? (reason === 'PRED_INVALID' ? 'pred' : '');
}
