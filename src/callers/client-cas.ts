// The CAs of the callers. TLS uses them once, at the handshake, and connections live longer than CA files. So after a CA was removed
// from the file, the certificates of open connections are checked against the remaining CAs.

import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';

/** More intermediates than any real path has. */
const MAX_PATH = 8;

type Cas = ReadonlyMap<string, X509Certificate>;

/** The CAs that are trusted now. */
export interface Vouchers {
  /** A new object after every change, so that a result can be cached as long as this is the same. */
  readonly current: object;
  /** Called for each connection when it is accepted, before its handshake. */
  accept(socket: Socket): void;
  /** Whether the certificate of this SPIFFE ID, which TLS accepted on this connection, is trusted now. */
  vouchFor(socket: Socket, leaf: X509Certificate, id: string, nowMs: number): boolean;
  /** The message if it is not. */
  readonly fault: string;
}

export class ClientCas implements Vouchers {
  readonly fault = 'the CA of the client certificate is not trusted any more';
  #current: Cas;
  /** By peer: the CAs when a connection was accepted, which are those of its handshake. */
  readonly #accepted = new Map<string, Cas>();

  /** PEM: one or more certificates. */
  constructor(pem: string) {
    this.#current = readAll(pem);
  }

  /** Replaces the trusted CAs of callers. */
  replace(pem: string): void {
    this.#current = readAll(pem);
  }

  get current(): object {
    return this.#current;
  }

  accept(socket: Socket): void {
    const peer = peerOf(socket);
    this.#accepted.set(peer, this.#current);
    socket.once('close', () => this.#accepted.delete(peer));
  }

  /**
   * For every trust domain: either no CA of the time of the handshake was removed, or a current CA has signed the certificate. Node does
   * not show a server the intermediates of a caller (24.21), so after a CA was removed only those in the file count: a caller with
   * another intermediate must reconnect.
   */
  vouchFor(socket: Socket, leaf: X509Certificate, _id: string, nowMs: number): boolean {
    const then = this.#accepted.get(peerOf(socket));
    if (then !== undefined && [...then.keys()].every((fingerprint) => this.#current.has(fingerprint))) return true;
    return leadsToRoot(leaf, [...this.#current.values()], nowMs);
  }
}

/** As in TLS, only a self-signed certificate is a root; others in the file are intermediates. */
export function leadsToRoot(leaf: X509Certificate, cas: readonly X509Certificate[], nowMs: number): boolean {
  const roots = new Set(cas.filter((certificate) => hasIssued(certificate, certificate)));
  const issuers = cas.filter(
    (certificate) => (certificate.ca || roots.has(certificate)) && isInForce(certificate, nowMs),
  );
  let reached: readonly X509Certificate[] = [leaf];
  for (let step = 0; step < MAX_PATH && reached.length > 0; step++) {
    const next = issuers.filter((issuer) => reached.some((certificate) => hasIssued(issuer, certificate)));
    if (next.some((issuer) => roots.has(issuer))) return true;
    reached = next;
  }
  return false;
}

function isInForce({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  return validFromDate.getTime() <= nowMs && nowMs <= validToDate.getTime();
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The same for a connection before and after TLS wraps it, and different for all open ones. */
function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function readAll(pem: string): Cas {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const certificates = blocks.map((block) => new X509Certificate(block));
  return new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate]));
}
