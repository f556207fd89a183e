// Events of configuration files that change while the service runs, and of their certificates.

import { MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** The end of a certificate, in milliseconds since the epoch. */
export interface CertificateEnd {
  readonly certificate: string;
  readonly path: string;
  readonly notAfterMs: number;
}

export function fileEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** Files of the configuration have changed and were applied. */
    filesReloaded(files: string): void {
      metrics.reloads.inc({ files, outcome: 'replaced' });
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'files-reloaded', files });
    },

    /** Files of the configuration have changed and are invalid: the previous ones stay in use. */
    reloadRejected(files: string, why: string): void {
      metrics.reloads.inc({ files, outcome: 'refused' });
      metrics.reloadRejected.set({ files }, 1);
      lines.error({ event: 'reload-refused', files, why: why.slice(0, MAX_WHY_LENGTH) });
      flushNow();
    },

    /** The files on disk are again those in use, instead of invalid ones. */
    reloadRestored(files: string): void {
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'reload-restored', files });
    },

    /** A certificate is in use. It is valid until `notAfterMs`. */
    certificateInForce({ certificate, notAfterMs }: CertificateEnd): void {
      metrics.certificateExpiry.set({ certificate }, Math.floor(notAfterMs / 1000));
    },

    /** The certificate has not been renewed and expires soon, or has expired. */
    certificateEnding({ certificate, path, notAfterMs }: CertificateEnd, expired: boolean): void {
      const line = { certificate, path, notAfter: new Date(notAfterMs).toISOString() };
      if (expired) lines.error({ event: 'certificate-expired', ...line });
      else lines.warn({ event: 'certificate-ending', ...line });
      flushNow();
    },
  };
}
