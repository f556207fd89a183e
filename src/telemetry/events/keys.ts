// Events of the service's signing keys, and of marks of compromise.

import type { ErrorReason } from '../../errors.ts';
import { cleanText, describeFailure } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function keyEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** A change of a signing key was read from the ledger and applies from now on. */
    keyChanged({ kid, state, by }: { readonly kid: string; readonly state: string; readonly by: string }): void {
      metrics.keyChanges.inc({ state });
      lines.info({ event: 'key-changed', kid, state, by: cleanText(by) });
    },

    /** An operation on signing keys failed and will be repeated. `isNews`: the failure differs from the last one. */
    keysFailed(cause: unknown, isNews = true): void {
      metrics.keyFailures.inc();
      if (isNews) lines.error({ event: 'keys-failed', ...describeFailure(cause) });
    },

    /** The failure of `keys-failed` is over: changes of keys are read and recorded again. */
    keysRecovered(): void {
      lines.info({ event: 'keys-recovered' });
    },

    /** New marks of compromise cannot be read; the known ones are still applied. Called once; reading is repeated. */
    marksFailed(cause: unknown): void {
      lines.error({ event: 'marks-failed', ...describeFailure(cause) });
    },

    /** The failure of `marks-failed` is over. */
    marksRecovered(): void {
      lines.info({ event: 'marks-recovered' });
    },

    /**
     * The key that should sign cannot be used, so nothing is issued; or that has ended. The reason is in `keys-failed` or
     * `signer-region-down`.
     */
    signingKeyMissing(isMissing: boolean): void {
      metrics.signingKeyMissing.set(isMissing ? 1 : 0);
      if (isMissing) {
        const warning =
          'nothing is issued until the key can be used; everything else is served, and opening it is retried';
        lines.error({ event: 'signing-key-missing', warning });
      } else lines.info({ event: 'signing-key-opened' });
      flushNow();
    },

    /** A region of the key service became unavailable or available. `failure`: why it became unavailable. */
    signerRegionChanged(
      region: string,
      failure: { readonly reason: ErrorReason; readonly cause?: unknown } | undefined,
    ): void {
      metrics.signerRegionDown.set({ region }, failure === undefined ? 0 : 1);
      if (failure === undefined) lines.info({ event: 'signer-region-back', region });
      else {
        const { reason, cause } = failure;
        lines.error({ event: 'signer-region-down', region, ...describeFailure(cause), reason });
      }
    },
  };
}
