// Everything that is wrong with a request, once its first fault has refused it. Only then is the rest looked at, so that
// a request without a fault pays nothing for it.

import { EctError, type Refusal, refuseAll } from '../errors.ts';
import { failureOf } from './failures.ts';

/** Reads a request by `read`. Where that refuses, `faults` are looked for, and all of them leave as one. */
export function readAll<T>(read: () => T, faults: () => readonly Refusal[]): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    throw new EctError(refuseAll(withoutRepeats([error.refusal, ...faults()]), fieldOf), { cause: error.cause });
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
  faultsOfRest: (legible: Request) => readonly Refusal[],
): readonly Refusal[] {
  const faults: Refusal[] = [];
  let legible = request;
  for (const { read, cleared } of readers) {
    const found = refusalsOf(read);
    faults.push(...found);
    if (found.length > 0) legible = { ...legible, ...cleared };
  }
  return [...faults, ...faultsOfRest(legible)];
}

/** Makes all checks of a request, each of which throws where it refuses, and throws all refusals as one. */
export function checkAll(...checks: readonly (() => unknown)[]): void {
  const [first, ...others] = checks.flatMap((check) => refusalsOf(check));
  if (first !== undefined) throw new EctError(refuseAll(withoutRepeats([first, ...others]), fieldOf));
}

/** Refuses where there is something to refuse. */
export function refuseIf(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new EctError(refusal);
}

/** What a check refuses, as values. */
export function refusalsOf(check: () => unknown): readonly Refusal[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return [error.refusal];
  }
}

/**
 * The error of what came in one field of the request: a token that is wrong in itself is a fault of its field. What names its
 * fields already is left as it is, and so is what time or state is to blame for.
 */
export function inField(field: string, error: EctError): EctError {
  const { reason, message, facts, violations } = error;
  const isKnown = violations.length > 0 || facts['field'] !== undefined;
  if (isKnown || failureOf(reason).detail?.as !== 'BadRequest') return error;
  return new EctError({ ...error.refusal, violations: [{ field, description: message }] }, causeOf(error));
}

/** What `work` answers. What it refuses is refused of this field. */
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

function withoutRepeats([first, ...others]: readonly [Refusal, ...Refusal[]]): readonly [Refusal, ...Refusal[]] {
  const seen = new Set([first.message]);
  return [first, ...others.filter(({ message }) => !seen.has(message) && seen.add(message))];
}

function fieldOf({ reason, facts }: Refusal): string {
  return facts['field'] ?? facts['claim'] ?? (reason === 'PRED_INVALID' ? 'pred' : '');
}
