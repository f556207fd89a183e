// The CAs that vouch for callers now. TLS asks them once, at the handshake, and connections outlive CA files: so when a file
// has replaced another, what a connection proved is held against the CAs of the new one.

import { X509Certificate } from 'node:crypto';

/** More intermediates than any path of ours has. */
const MAX_PATH = 8;

export class ClientCas {
  /** Those of the start. */
  readonly first: object;
  #all: readonly X509Certificate[];

  /** PEM: one or more certificates. */
  constructor(pem: string) {
    this.#all = readAll(pem);
    this.first = this.#all;
  }

  /** From here on these CAs vouch for callers, and no others. */
  replace(pem: string): void {
    this.#all = readAll(pem);
  }

  /** Another object after every change, so that an answer can be kept for as long as it holds. */
  get current(): object {
    return this.#all;
  }

  /**
   * Whether a chain that TLS has verified before leads to a CA of today: each signature on the way is checked anew. As in TLS,
   * only a certificate that signs itself is an end; others in the file are steps.
   */
  vouchFor(leaf: X509Certificate, presented: readonly X509Certificate[], nowMs: number): boolean {
    const isInForce = (certificate: X509Certificate) =>
      certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime();
    const roots = new Set(this.#all.filter((certificate) => hasIssued(certificate, certificate)));
    const issuers = [...this.#all, ...presented].filter(
      (certificate) => (certificate.ca || roots.has(certificate)) && isInForce(certificate),
    );
    let reached: readonly X509Certificate[] = [leaf];
    for (let step = 0; step < MAX_PATH && reached.length > 0; step++) {
      const next = issuers.filter((issuer) => reached.some((certificate) => hasIssued(issuer, certificate)));
      if (next.some((issuer) => roots.has(issuer))) return true;
      reached = next;
    }
    return false;
  }
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function readAll(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
