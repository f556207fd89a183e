// fast-check with the same cases in every run: if a run fails, the change is the cause.

import { randomInt } from 'node:crypto';
import fc from 'fast-check';

// `ECT_TEST_SEED=random` tries new cases and prints the seed; `ECT_TEST_SEED=12` uses that seed.
const given = process.env['ECT_TEST_SEED'];

/** The seed of random cases. */
export const SEED = given === 'random' ? randomInt(2 ** 31) : Number(given ?? 1);
if (given !== undefined) console.info(`ECT_TEST_SEED=${SEED}`);
fc.configureGlobal({ seed: SEED });

export { fc };

/** Returns a generator of numbers from 0 to below 1, which follow from the seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
