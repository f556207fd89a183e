// fast-check, with cases that are the same in every run: a run that fails, fails for what was changed.

import { randomInt } from 'node:crypto';
import fc from 'fast-check';

// `ECT_TEST_SEED=random` looks for new cases, and says where it began; `ECT_TEST_SEED=12` begins there.
const given = process.env['ECT_TEST_SEED'];

/** Where random cases begin. */
export const SEED = given === 'random' ? randomInt(2 ** 31) : Number(given ?? 1);
if (given !== undefined) console.info(`ECT_TEST_SEED=${SEED}`);
fc.configureGlobal({ seed: SEED });

export { fc };

/** Numbers from 0 to below 1 that follow from the seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
