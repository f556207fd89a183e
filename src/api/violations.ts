// Everything that is wrong with a request, once its first fault has rejected it. Only then is the rest looked at, so that
// a request without a fault pays nothing for it.

import { failureOf } from '../calls/failures.ts';
import { EctError, type Rejection, rejectAll } from '../errors.ts';

/** Reads a request by `read`. Where that rejects, `faults` are looked for, and all of them leave as one. */
export function readAll<T>(read: () => T, faults: () => readonly Rejection[]): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    throw new EctError(rejectAll(withoutRepeats([error.rejection, ...faults()]), fieldOf), { cause: error.cause });
  }
}

/** A part of a request, read by itself. `cleared` is the request without it. */
export interface Reader<Request> {
  readonly read: () => unknown;
  readonly cleared: Partial<Request>;
}

/** The faults of the parts of a request, and of the whole without the parts that cannot be read. */
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

/** Makes all checks of a request, each of which throws where it rejects, and throws all rejections as one. */
export function checkAll(...checks: readonly (() => unknown)[]): void {
  const [first, ...others] = checks.flatMap((check) => rejectionsOf(check));
  if (first !== undefined) throw new EctError(rejectAll(withoutRepeats([first, ...others]), fieldOf));
}

/** Rejects where there is something to reject. */
export function rejectIf(rejection: Rejection | undefined): void {
  if (rejection !== undefined) throw new EctError(rejection);
}

/** Rejects where there is something to reject, with all of it. */
export function checkFaults(faults: readonly Rejection[]): void {
  checkAll(...faults.map((fault) => () => rejectIf(fault)));
}

/** What a check rejects, as values. */
export function rejectionsOf(check: () => unknown): readonly Rejection[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return [error.rejection];
  }
}

/** What a part of a request is rejected for, with its fields named from the outside. */
export function within(path: string, rejection: Rejection): Rejection {
  const { violations = [{ field: fieldOf(rejection), description: rejection.message }] } = rejection;
  return new EctError({ ...rejection, violations }).within(path).rejection;
}

/**
 * The error of what came in one field of the request: a token that is wrong in itself is a fault of its field. What names its
 * fields already is left as it is, and so is what time or state is to blame for.
 */
export function inField(field: string, error: EctError): EctError {
  const { reason, message, metadata: facts, violations } = error;
  const isKnown = violations.length > 0 || facts['field'] !== undefined;
  if (isKnown || failureOf(reason).detail?.as !== 'BadRequest') return error;
  return new EctError({ ...error.rejection, violations: [{ field, description: message }] }, causeOf(error));
}

/** What `work` answers. What it rejects is rejected of this field. */
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

/** The same fault may be found twice, and the same text may be about two fields. */
function whatIsWrong({ violations, ...rejection }: Rejection): string {
  const fields = violations?.map(({ field }) => field) ?? [fieldOf(rejection)];
  return `${fields.join(' ')} ${rejection.message}`;
}

function fieldOf({ reason, metadata: facts }: Rejection): string {
  return facts['field'] ?? facts['claim'] ?? (reason === 'PRED_INVALID' ? 'pred' : '');
}
