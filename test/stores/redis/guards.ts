// Guards in Redis as tests open them: with short time limits, and with what they report to an operator.

import { expect } from 'vitest';
import type { EctError } from '../../../src/errors.ts';
import { RedisReplayGuard, type RedisTarget } from '../../../src/stores/redis/index.ts';

type Options = Parameters<typeof RedisReplayGuard.open>[1];

/** What the guard reported, in order. */
export interface Reports {
  readonly ups: { readonly warnings: readonly string[]; readonly begun: number | undefined }[];
  readonly downs: EctError[];
}

/** How far `iat` may be ahead, in all tests. */
const MAX_FUTURE_SECONDS = 5;
/** How long after a history began a token must have been issued. */
export const GAP_SECONDS = MAX_FUTURE_SECONDS + 30;

export const ANSWER_MS = 400;
/** For tests of what a server answers, not of how long it takes. */
export const NO_HURRY = { connectMs: 60_000, answerMs: 60_000, examineMs: 60_000 };

/** Opens a guard of a new installation, with short timeouts, unless the options say otherwise. */
export async function openGuard(
  target: RedisTarget,
  differs: Partial<Options> = {},
): Promise<{ guard: RedisReplayGuard; reported: Reports }> {
  const reported: Reports = { ups: [], downs: [] };
  const guard = await RedisReplayGuard.open(target, {
    nowSeconds: () => Date.now() / 1000,
    maxFutureSeconds: MAX_FUTURE_SECONDS,
    isUnused: true,
    watch: {
      up: ({ warnings, begun }) => void reported.ups.push({ warnings, begun }),
      down: (failure) => void reported.downs.push(failure),
    },
    timeouts: { connectMs: 600, answerMs: ANSWER_MS, examineMs: 50 },
    ...differs,
  });
  return { guard, reported };
}

/** What a rejected claim is like. */
export function unavailable(message: unknown = expect.any(String)): object {
  return { reason: 'REPLAY_GUARD_UNAVAILABLE', message };
}
