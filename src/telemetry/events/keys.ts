// The signing keys of the service, and the marks of compromise.

import type { ErrorReason } from '../../errors.ts';
import { cleanText, describeFailure } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function keyEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** A change of a signing key was read from the ledger: it holds from now on. */
    keyChanged({ kid, state, by }: { readonly kid: string; readonly state: string; readonly by: string }): void {
      metrics.keyChanges.inc({ state });
      lines.info({ event: 'key-changed', kid, state, by: cleanText(by) });
    },

    /** Something about signing keys failed, and is tried again. `isNews`: it did not fail in this way a moment ago. */
    keysFailed(cause: unknown, isNews = true): void {
      metrics.keyFailures.inc();
      if (isNews) lines.error({ event: 'keys-failed', ...describeFailure(cause) });
    },

    /** The failure of `keys-failed` is over: changes of keys are read and recorded again. */
    keysRecovered(): void {
      lines.info({ event: 'keys-recovered' });
    },

    /** Marks of compromise that others set cannot be looked for: those that are known count. Called once; reading is retried. */
    marksFailed(cause: unknown): void {
      lines.error({ event: 'marks-failed', ...describeFailure(cause) });
    },

    /** The failure of `marks-failed` is over. */
    marksRecovered(): void {
      lines.info({ event: 'marks-recovered' });
    },

    /** The key that should sign cannot be opened or used, so that nothing is issued; or that is over. Why is in `keys-failed` or `signer-region-down`. */
    signingKeyMissing(isMissing: boolean): void {
      metrics.signingKeyMissing.set(isMissing ? 1 : 0);
      if (isMissing) {
        const warning =
          'nothing is issued until the key can be used; everything else is served, and opening it is retried';
        lines.error({ event: 'signing-key-missing', warning });
      } else lines.info({ event: 'signing-key-opened' });
      flushNow();
    },

    /** A region of the key service went out of use, or came back. `failure`: why it went. */
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
