// Parts whose code is loaded only if they are needed.

import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import type { Shutdown } from '../runtime/shutdown.ts';
import type { GuardSurroundings } from '../startup/open-redis-guard.ts';
import type { RedisReplayGuard } from '../stores/redis/index.ts';
import type { Events } from '../telemetry/events.ts';
import type { WorkloadApi } from '../workload-api/index.ts';

/**
 * Returns the Workload API client after its agent has provided an identity. `isReplacement`: other workers may serve with the identity
 * that they have, so this one waits for its own as long as it takes. If it exited instead, that would count as a failed start, and
 * several of these stop the service.
 */
export async function openWorkload(
  { workloadApi }: Config,
  isReplacement: boolean,
  nowMs: () => number,
  events: Events,
  shutdown: Shutdown,
): Promise<WorkloadApi | undefined> {
  if (workloadApi === undefined) return undefined;
  const { WorkloadApi, WorkloadApiFault } = await import('../workload-api/index.ts');
  const workload = new WorkloadApi(workloadApi, { nowMs, events });
  shutdown.at('watches', () => workload.stop());
  try {
    await workload.start(isReplacement ? 'as long as it takes' : 'briefly');
  } catch (cause) {
    if (cause instanceof WorkloadApiFault) throw new StartError(cause.message, { cause });
    throw cause;
  }
  return workload;
}

/** Opens the replay guard in Redis. Its driver is loaded only if needed. */
export async function openRedis(config: Config, around: GuardSurroundings): Promise<RedisReplayGuard> {
  const { openRedisGuard } = await import('../startup/open-redis-guard.ts');
  return openRedisGuard(config, around);
}
