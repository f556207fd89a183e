// Events of the clock.

import type { EventSink } from './sink.ts';

export function clockEvents({ lines, metrics, flushNow }: EventSink) {
  let isClockFar = false;
  return {
    /** The wall clock is not trusted: nothing is issued or recorded until it is. */
    clockDoubted({ against, differenceMs }: { readonly against: string; readonly differenceMs: number }): void {
      const differenceSeconds = Math.round(differenceMs / 1000);
      const warning = 'nothing is issued or recorded until the wall clock is right: set it (NTP)';
      lines.error({ event: 'clock-doubted', against, differenceSeconds, warning });
      flushNow();
    },

    /** The file with the stored time is missing or invalid. */
    clockForgotten(): void {
      const warning =
        'clock.json cannot be read: the wall clock is trusted if it is not before the newest entry; check that it is right (NTP)';
      lines.warn({ event: 'clock-forgotten', warning });
    },

    /** The wall clock is trusted again. The trusted time changed by `aheadMs`. */
    clockTrusted(aheadMs: number): void {
      lines.warn({ event: 'clock-believed', changedSeconds: Math.round(aheadMs / 1000) });
    },

    /** The wall clock was set, by so little that it is still trusted. */
    clockStepped(aheadMs: number): void {
      lines.warn({ event: 'clock-stepped', changedSeconds: Math.round(aheadMs / 1000) });
    },

    /** The wall clock was compared with monotonic time. */
    clockMeasured(aheadMs: number, isDoubted: boolean): void {
      metrics.clockAhead.set(aheadMs / 1000);
      metrics.clockDoubted.set(isDoubted ? 1 : 0);
    },

    /** The trusted time was compared with the clock of the database, which replicas share. `isFar`: it differs by 5 s or more. */
    clockCompared(aheadMs: number, isFar: boolean): void {
      metrics.clockAheadOfDatabase.set(aheadMs / 1000);
      if (isFar === isClockFar) return;
      isClockFar = isFar;
      const line = { aheadSeconds: Math.round(aheadMs / 1000) };
      if (isFar) {
        const warning =
          'the clocks of this machine and of the database differ: set the wrong one (NTP); at 30 s nothing is issued';
        lines.warn({ event: 'clock-differs', ...line, warning });
      } else lines.info({ event: 'clock-agrees', ...line });
    },
  };
}
