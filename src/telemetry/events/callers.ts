// What callers may do: the policy, and their quotas.

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
  /** Policies that could not be evaluated. */
  readonly errors: readonly string[];
  readonly digest: string;
}

/** Each names a caller and what it asked for; a batch can have a thousand of them. */
const POLICY_LINES_PER_SECOND = 100;

export function callerEvents({ lines, metrics }: EventSink) {
  const policyLines = new LineRate(POLICY_LINES_PER_SECOND);
  return {
    /** The policy by which callers are permitted what they ask for: at the start, and when it has changed. */
    policyInForce(digest: string): void {
      metrics.policyRejections.inc(0);
      lines.info({ event: 'policy-in-force', digest });
    },

    /** A caller was rejected by the policy. `policies`: those that forbid it; none where nothing permits it. */
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

    /** Bytes were taken from a caller's quota before they are written; negative: refunded, because nothing was written. */
    callerWrote(use: string, bytes: number): void {
      metrics.callerWriteBytes.inc({ use, direction: bytes < 0 ? 'given_back' : 'taken' }, Math.abs(bytes));
    },

    /** A write for a caller was rejected: its own line says to whom. */
    callerWriteRejected(use: string, reason: ErrorReason): void {
      metrics.callerWriteRejections.inc({ use, reason });
    },

    /** Where the metrics ask what is left of the quotas. */
    watchWriteQuotas(read: ReadQuotas): void {
      metrics.callerWriteQuotas.from(read);
    },
  };
}
