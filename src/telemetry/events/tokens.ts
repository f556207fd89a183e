// Tokens that the rules found fault with, and those that were recorded in the background.

import type { ErrorReason } from '../../errors.ts';
import { cleanTask, type TaskNames } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function tokenEvents({ lines, metrics }: EventSink) {
  return {
    /** Somebody signs two different tokens for one task: a broken issuer, or a stolen key. */
    equivocated(task: TaskNames, seenBy: 'guard' | 'ledger'): void {
      metrics.equivocations.inc({ seen_by: seenBy });
      lines.warn({ event: 'equivocation', seenBy, ...cleanTask(task) });
    },

    /** A token was rejected because its level is below `minimum`. */
    levelRejected(minimum: string): void {
      metrics.levelRejections.inc({ minimum });
      lines.debug({ event: 'level-refused', minimum });
    },

    /** A token that left before its entry was recorded has its entry now, or, for `reason`, never will. */
    backgroundAppend(task: TaskNames, reason: ErrorReason | undefined): void {
      metrics.backgroundAppends.inc({ outcome: reason === undefined ? 'landed' : 'failed' });
      const line = { event: 'background-append', ...cleanTask(task) };
      if (reason === undefined) lines.debug({ ...line, outcome: 'landed' });
      else lines.error({ ...line, outcome: 'failed', reason });
    },
  };
}
