// Runs the differential fuzzers again and again, each time from a new seed, for FUZZ_SECONDS (default 10). A failure prints
// the seed with which `ECT_TEST_SEED=… npx vitest run` finds it again.

import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

/** HPACK, frames and header rules; codecs against the generated ones; strict JSON; and connections against the real service. */
const FUZZERS = [
  'test/fuzz/connection.test.ts',
  'test/fuzz/header-rules.test.ts',
  'test/http2-server/random.test.ts',
  'test/http2-server/hpack.test.ts',
  'test/transport/unary/encoder.test.ts',
  'test/fuzz/round-trip.test.ts',
  'test/fuzz/signed-again.test.ts',
  'test/token/strict-json.test.ts',
];

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 10);
const until = Date.now() + 1000 * seconds;
let rounds = 0;
do {
  const seed = randomInt(2 ** 31);
  rounds++;
  console.log(`fuzz round ${rounds}: ECT_TEST_SEED=${seed}`);
  const env = { ...process.env, ECT_TEST_SEED: String(seed) };
  const { status } = spawnSync('vitest', ['run', ...FUZZERS], { env, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`FOUND by ECT_TEST_SEED=${seed} npx vitest run ${FUZZERS.join(' ')}`);
    process.exit(1);
  }
} while (Date.now() < until);
console.log(`${rounds} rounds in at least ${seconds} s, nothing found`);
