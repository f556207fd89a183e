// Events of tokens that violate a rule, and of asynchronous recordings.

import type { ErrorReason } from '../../errors.ts';
import { cleanTask, type TaskNames } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function tokenEvents({ lines, metrics }: EventSink) {
  return {
    /** Two different tokens were signed for one task: the issuer is faulty, or its key was stolen. */
    equivocated(task: TaskNames, seenBy: 'guard' | 'ledger'): void {
      metrics.equivocations.inc({ seen_by: seenBy });
      lines.warn({ event: 'equivocation', seenBy, ...cleanTask(task) });
    },

    /** A token was rejected because its level is below `minimum`. */
    levelRejected(minimum: string): void {
      metrics.levelRejections.inc({ minimum });
      lines.debug({ event: 'level-refused', minimum });
    },

    /** An asynchronous recording has ended: with an entry, or, with a `reason`, without one. */
    backgroundAppend(task: TaskNames, reason: ErrorReason | undefined): void {
      metrics.backgroundAppends.inc({ outcome: reason === undefined ? 'landed' : 'failed' });
      const line = { event: 'background-append', ...cleanTask(task) };
      if (reason === undefined) lines.debug({ ...line, outcome: 'landed' });
      else lines.error({ ...line, outcome: 'failed', reason });
    },
  };
}
