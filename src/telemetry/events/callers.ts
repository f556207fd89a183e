// Events about permissions: the policy and the write quotas of callers.

import type { ErrorReason } from '../../errors.ts';
import { cleanText } from '../event-lines.ts';
import { LineRate } from '../line-rate-limit.ts';
import type { ReadQuotas } from '../metrics.ts';
import type { EventSink } from './sink.ts';

/** A rejection by the policy. */
export interface PolicyRejectionLine {
  readonly caller: string;
  readonly action: string;
  readonly resource: string;
  readonly policies: readonly string[];
  /** The policies that could not be evaluated. */
  readonly errors: readonly string[];
  readonly digest: string;
}

/** Each line names a caller and its request. One batch can cause a thousand of them. */
const POLICY_LINES_PER_SECOND = 100;

export function callerEvents({ lines, metrics }: EventSink) {
  const policyLines = new LineRate(POLICY_LINES_PER_SECOND);
  return {
    /** The current policy: reported at the start, and after each change. */
    policyInForce(digest: string): void {
      metrics.policyRejections.inc(0);
      lines.info({ event: 'policy-in-force', digest });
    },

    /** The policy rejected a caller. `policies` are those that forbid the request; empty if none permits it. */
    policyRejected(rejection: PolicyRejectionLine): void {
      metrics.policyRejections.inc();
      const leftOut = policyLines.next();
      if (leftOut === undefined) return;
      const { caller, action, resource, policies, errors, digest } = rejection;
      const decided = policies.length === 0 ? 'nothing permits it' : policies.map(cleanText).join(', ');
      const failed = errors.length === 0 ? {} : { failed: errors.map(cleanText).join('; ') };
      lines.warn({
        event: 'policy-refused',
        caller: cleanText(caller),
        action,
        resource: cleanText(resource),
        decided,
        ...failed,
        ...(leftOut === 0 ? {} : { leftOut }),
        digest,
      });
    },

    /** Bytes were taken from a caller's quota before a write; negative: they were refunded, because nothing was written. */
    callerWrote(use: string, bytes: number): void {
      metrics.callerWriteBytes.inc({ use, direction: bytes < 0 ? 'given_back' : 'taken' }, Math.abs(bytes));
    },

    /** A write for a caller was rejected. The line of the call names the caller. */
    callerWriteRejected(use: string, reason: ErrorReason): void {
      metrics.callerWriteRejections.inc({ use, reason });
    },

    /** Sets the function with which the metrics read the quotas. */
    watchWriteQuotas(read: ReadQuotas): void {
      metrics.callerWriteQuotas.from(read);
    },
  };
}
