// Events of calls.

import { callLine, describeCause, type FinishedCall } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function callEvents({ lines, metrics, output, worker, flushNow }: EventSink) {
  return {
    /** A call was answered, or its caller has disconnected. */
    callFinished(call: FinishedCall): void {
      const { method, code, durationMs } = call;
      const reason = call.reason ?? '';
      metrics.countCall(method, code, reason, durationMs / 1000);
      // This line is formatted by hand, because it is written for every call, and the logger would cost more than the checks of the call.
      if (lines.isLevelEnabled('info')) output.write(callLine(call, reason, worker));
    },

    /** An exception that is a bug. The caller got INTERNAL; the cause is logged only here. */
    bug(method: string, cause: unknown): void {
      metrics.bugs.inc({ method });
      lines.error({ event: 'bug', method, cause: describeCause(cause) });
      flushNow();
    },
  };
}
