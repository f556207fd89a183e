// Opens the replay guard in Redis. This module is loaded only if needed, because loading the driver takes time.

import type { Config } from '../config/index.ts';
import { redisTarget } from '../config-files/redis-target.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { RedisReplayGuard, UnfitRedis } from '../stores/redis/index.ts';
import type { Events } from '../telemetry/events.ts';

/** What the guard needs from the service. */
export interface GuardSurroundings {
  readonly nowMs: () => number;
  /** Whether the ledger is empty. Then the installation is new and no token has been used. */
  readonly isNew: boolean;
  readonly events: Events;
}

/**
 * Returns the guard. Throws StartError if Redis cannot be used as it is configured. If Redis cannot be reached, the guard rejects uses
 * until it can.
 */
export async function openRedisGuard(
  config: Config,
  { nowMs, isNew, events }: GuardSurroundings,
): Promise<RedisReplayGuard> {
  if (config.redis === undefined) throw new TypeError('There is no Redis in the configuration.');
  try {
    return await RedisReplayGuard.open(await redisTarget(config.redis), {
      nowSeconds: () => nowMs() / 1000,
      maxFutureSeconds: config.token.maxFutureSeconds,
      isUnused: isNew,
      watch: { up: events.redisUp, down: events.redisDown },
    });
  } catch (error) {
    throw error instanceof UnfitRedis ? new StartError(error.message, { cause: error }) : error;
  }
}
