// Files that change under the running service, and the certificates in them.

import { MAX_WHY_LENGTH } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** When a certificate ends, in milliseconds since the epoch. */
export interface CertificateEnd {
  readonly certificate: string;
  readonly path: string;
  readonly notAfterMs: number;
}

export function fileEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** Files of the configuration have changed, and are in force. */
    filesReloaded(files: string): void {
      metrics.reloads.inc({ files, outcome: 'replaced' });
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'files-reloaded', files });
    },

    /** Files of the configuration have changed and cannot be used: those before stay in force. */
    reloadRejected(files: string, why: string): void {
      metrics.reloads.inc({ files, outcome: 'refused' });
      metrics.reloadRejected.set({ files }, 1);
      lines.error({ event: 'reload-refused', files, why: why.slice(0, MAX_WHY_LENGTH) });
      flushNow();
    },

    /** The files that are in force are on disk again, instead of those that could not be used. */
    reloadRestored(files: string): void {
      metrics.reloadRejected.set({ files }, 0);
      lines.info({ event: 'reload-restored', files });
    },

    /** A certificate is in force until then. */
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
