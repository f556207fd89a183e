// Mutations of good tokens, a hundred thousand in the full run: none is accepted, none throws, nothing is kept of them.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { TOKEN_STEPS, verifyToken } from '../../src/token/index.ts';
import { rounds } from '../support/full.ts';
import { fc, SEED } from '../support/random.ts';
import { AUD, keys, NOW, policy } from '../support/tokens.ts';
import { goodTokens, mayBeAccepted, mutants } from './mutants.ts';

const QUESTION = { now: NOW, audience: AUD, purpose: 'presented' } as const;
const RUNS = rounds(10_000, 4_000);
/** Two at least: what is kept of one round shows after the next. */
const ROUNDS = rounds(10, 2);
const MUTANTS = (ROUNDS * RUNS).toLocaleString('en');
const MAX_GROWTH_BYTES = 4 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test('every good token is accepted', () => {
  for (const token of goodTokens) expect(verifyToken(token, QUESTION, policy, keys).ok).toBe(true);
});

test(`T25: of ${MUTANTS} mutants none is accepted that is not a good token, none throws, and the heap does not grow`, () => {
  const stoppedAt = new Map<string, number>();
  let accepted = 0;
  const heaps: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    fc.assert(
      fc.property(mutants, (mutant) => {
        const verdict = verifyToken(mutant, QUESTION, policy, keys);
        if (verdict.ok !== mayBeAccepted(mutant)) throw new Error(`${verdict.ok ? 'accepted' : 'refused'}: ${mutant}`);
        if (verdict.ok) accepted++;
        const step = TOKEN_STEPS[verdict.outcomes.indexOf('FAIL')]?.name ?? 'none';
        stoppedAt.set(step, (stoppedAt.get(step) ?? 0) + 1);
      }),
      { numRuns: RUNS, seed: SEED + round },
    );
    heaps.push(heapBytes());
  }
  console.info(`mutants by the step that rejected them: ${JSON.stringify(Object.fromEntries(stoppedAt))}`);
  // The twin that ECDSA gives everybody is the same token, and is accepted.
  expect(accepted).toBeGreaterThan(0);
  for (const step of ['form', 'level', 'typ', 'header', 'alg', 'key', 'signature']) {
    expect(stoppedAt.get(step) ?? 0, step).toBeGreaterThan((ROUNDS * RUNS) / 400);
  }
  expect(heaps.at(-1)! - heaps[0]!).toBeLessThan(MAX_GROWTH_BYTES);
});
