// How the replay guard in Redis is opened. Loaded only where it is wanted: the driver takes a while.

import type { Config } from '../config/index.ts';
import { redisTarget } from '../config-files/redis-target.ts';
import { StartError } from '../data-directory/data-dir.ts';
import { RedisReplayGuard, UnfitRedis } from '../stores/redis/index.ts';
import type { Events } from '../telemetry/events.ts';

/** What the guard has around it. */
export interface GuardSurroundings {
  readonly nowMs: () => number;
  /** The ledger has never begun: the installation is new, so no token was used. */
  readonly isNew: boolean;
  readonly events: Events;
}

/** StartError where Redis cannot be used as it is. Where it is away the guard is there, and rejects until Redis is back. */
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
