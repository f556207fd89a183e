// The validity period of a certificate, and when its end is near. Pure functions.

import type { X509Certificate } from 'node:crypto';

export interface CertificateTerm {
  /** The certificate's name in metrics and events. */
  readonly certificate: 'server' | 'client-ca';
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

type Term = Pick<CertificateTerm, 'notBeforeMs' | 'notAfterMs'>;

/** Clocks of issuers may be ahead by this much. */
const SKEW_MS = 5 * 60_000;
const LONGEST_NOTICE_MS = 14 * 24 * 3_600_000;

export function termOf({ validFromDate, validToDate }: X509Certificate): Term {
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}

export function isInForce({ notBeforeMs, notAfterMs }: Term, nowMs: number): boolean {
  return notBeforeMs - SKEW_MS <= nowMs && nowMs <= notAfterMs;
}

/**
 * Returns the state of a certificate at this time. Certificates are usually renewed after two thirds of their lifetime or earlier
 * (cert-manager and ACME clients at 2/3, SPIRE at 1/2), so if only a sixth is left, the renewal has failed.
 */
export function phaseOf({ notBeforeMs, notAfterMs }: Term, nowMs: number): 'valid' | 'ending' | 'expired' {
  if (nowMs > notAfterMs) return 'expired';
  const noticeMs = Math.min((notAfterMs - notBeforeMs) / 6, LONGEST_NOTICE_MS);
  return nowMs >= notAfterMs - noticeMs ? 'ending' : 'valid';
}
