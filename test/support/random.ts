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
