// What may be written for callers: their quotas, and the space on the disk.

import type { WriteUse } from '../authority/index.ts';
import type { Config } from '../config/index.ts';
import { CallerWriteLimits, FreeSpace, measureVolume, WriteQuota } from '../limits/index.ts';
import type { Events } from '../telemetry/events.ts';

export const MIB = 1024 * 1024;

export function watchSpace({ dataDir, writes: { minFreeDiskMib } }: Config, events: Events): Promise<FreeSpace> {
  return FreeSpace.open({
    floorBytes: minFreeDiskMib === undefined ? undefined : minFreeDiskMib * MIB,
    measure: () => measureVolume(dataDir),
    onMeasured: events.storageMeasured,
  });
}

export function limitWrites(
  { writes: { callerMibPerHour }, replay }: Config,
  space: FreeSpace | undefined,
  events: Events,
): CallerWriteLimits {
  const quota =
    callerMibPerHour === 0
      ? undefined
      : new WriteQuota({ bytesPerHour: callerMibPerHour * MIB, nowMs: () => performance.now() });
  if (quota !== undefined) events.watchWriteQuotas(() => quota.state());
  const durable: readonly WriteUse[] = replay.guard === 'durable' ? ['replay', 'proof'] : [];
  return new CallerWriteLimits({
    quota,
    space,
    onDisk: new Set<WriteUse>(['ledger', 'idempotency', ...durable]),
    onTaken: events.callerWrote,
    onRejected: events.callerWriteRejected,
  });
}
