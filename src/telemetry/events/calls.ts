// Calls, as they were answered.

import { callLine, describeCause, type FinishedCall } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function callEvents({ lines, metrics, output, worker, flushNow }: EventSink) {
  return {
    /** A call has been answered, or its caller has gone. */
    callFinished(call: FinishedCall): void {
      const { method, code, durationMs } = call;
      const reason = call.reason ?? '';
      metrics.countCall(method, code, reason, durationMs / 1000);
      // Written by hand: this is the one line of every call, and the logger's own way costs more than the call's checks.
      if (lines.isLevelEnabled('info')) output.write(callLine(call, reason, worker));
    },

    /** Our own code failed. The caller has seen INTERNAL; the cause is kept here, once. */
    bug(method: string, cause: unknown): void {
      metrics.bugs.inc({ method });
      lines.error({ event: 'bug', method, cause: describeCause(cause) });
      flushNow();
    },
  };
}
