// The settings of the replay guard, which stores uses of tokens.

import type { Rules, Settings, ValuesOf } from './setting.ts';
import { choice, whole } from './types.ts';

export interface ReplayConfig {
  /** `durable`: in the store. `off`: no guard. `bounded`: in memory, for at most `capacity` unexpired tokens. `redis`: in Redis. */
  readonly guard: 'durable' | 'off' | 'bounded' | 'redis';
  readonly capacity: number;
  readonly ttlSeconds: number;
}

export const REPLAY_SETTINGS = {
  ECT_REPLAY: {
    type: choice('store', 'postgres', 'redis', 'off'),
    default: 'store',
    meaning:
      'where the replay guard stores uses of tokens: `store` (with the ledger; for PostgreSQL `postgres` means the same), [`redis`](docs/operating.md#the-replay-guard-in-redis), or `off`',
  },
  ECT_JTI_REPLAY_CACHE_SIZE: {
    type: whole(0, 10_000_000),
    unset: 'as ECT_REPLAY says',
    meaning:
      'instead of `ECT_REPLAY`: `0`: no replay guard; `n`: a replay guard in memory, for at most n unexpired tokens',
  },
  ECT_JTI_REPLAY_TTL_MIN: {
    type: whole(1, 10_080),
    default: '60',
    meaning: 'minimum time for which a use is stored (never less than the lifetime of the token)',
  },
} satisfies Settings;

type Values = ValuesOf<typeof REPLAY_SETTINGS>;

interface Surroundings {
  readonly store: 'sqlite' | 'postgres' | 'memory';
  readonly workers: number | 'auto';
}

export function replayConfig(
  values: Values,
  { isGiven, problem }: Rules,
  { store, workers }: Surroundings,
): ReplayConfig {
  const { ECT_REPLAY: where, ECT_JTI_REPLAY_CACHE_SIZE: size } = values;
  const isBounded = size !== undefined && size > 0;
  if (workers !== 1 && isBounded) {
    problem(
      'ECT_WORKERS above 1 contradicts ECT_JTI_REPLAY_CACHE_SIZE: a token could be used once at each ' +
        'worker. Remove one of the two.',
    );
  }
  if (where === 'postgres' && store !== 'postgres') problem('ECT_REPLAY=postgres needs ECT_STORE=postgres.');
  if (size !== undefined && isGiven('ECT_REPLAY')) {
    problem('ECT_REPLAY and ECT_JTI_REPLAY_CACHE_SIZE are both set: remove the second.');
  }
  if (store === 'postgres' && isBounded) {
    problem(
      'ECT_STORE=postgres contradicts ECT_JTI_REPLAY_CACHE_SIZE: a token could be used once at each ' +
        'replica. Remove ECT_JTI_REPLAY_CACHE_SIZE.',
    );
  }
  return { guard: guardOf(values), capacity: size ?? 0, ttlSeconds: 60 * values.ECT_JTI_REPLAY_TTL_MIN };
}

/** Returns the guard that the two settings select together. The size of the cache is a setting of the reference implementations. */
function guardOf({ ECT_REPLAY: where, ECT_JTI_REPLAY_CACHE_SIZE: size }: Values): ReplayConfig['guard'] {
  if (where === 'redis') return 'redis';
  if (where === 'off' || size === 0) return 'off';
  return size === undefined ? 'durable' : 'bounded';
}
