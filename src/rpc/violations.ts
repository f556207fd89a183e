// Everything that is wrong with a request, once its first fault has refused it. Only then is the rest looked at, so that
// a request without a fault pays nothing for it.

import { EctError, type Refusal, refuseAll } from '../errors.ts';

/** Reads a request by `read`. Where that refuses, each of `readers` is asked too, and all refusals leave as one. */
export function readAll<T>(read: () => T, readers: () => readonly (() => unknown)[]): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    throw new EctError(refuseAll([error.refusal, ...othersThan(error, readers())], fieldOf), { cause: error.cause });
  }
}

function othersThan(first: EctError, readers: readonly (() => unknown)[]): readonly Refusal[] {
  return readers.flatMap(refusalsOf).filter(({ message }) => message !== first.message);
}

/** Makes all checks of a request, each of which throws where it refuses, and throws all refusals as one. */
export function checkAll(...checks: readonly (() => unknown)[]): void {
  const [first, ...others] = checks.flatMap((check) => refusalsOf(check));
  if (first !== undefined) throw new EctError(refuseAll([first, ...others], fieldOf));
}

function refusalsOf(check: () => unknown): readonly Refusal[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return [error.refusal];
  }
}

function fieldOf({ reason, facts }: Refusal): string {
  return facts['field'] ?? facts['claim'] ?? (reason === 'PRED_INVALID' ? 'pred' : '');
}
