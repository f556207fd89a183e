// The CAs of each trust domain (X509-SVID, section 5). TLS checks at the handshake that any of them signed a certificate; this file
// checks that a CA of its own trust domain did. A certificate for another trust domain is rejected.

import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { trustDomainOf } from '../token/index.ts';
import { ClientCas, type Vouchers } from './client-cas.ts';

export class TrustBundles implements Vouchers {
  readonly fault = 'no CA of its own trust domain vouches for the client certificate';
  readonly #bundles = new Map<string, ClientCas>();
  #current: object = {};

  /** PEM by trust domain: one or more certificates each. */
  constructor(pems: ReadonlyMap<string, string>) {
    this.replace(pems);
  }

  /** Replaces the trusted CAs of these trust domains. A removed trust domain has none. */
  replace(pems: ReadonlyMap<string, string>): void {
    for (const [trustDomain, cas] of this.#bundles) {
      const pem = pems.get(trustDomain);
      if (pem === undefined) this.#bundles.delete(trustDomain);
      else cas.replace(pem);
    }
    for (const [trustDomain, pem] of pems) {
      if (!this.#bundles.has(trustDomain)) this.#bundles.set(trustDomain, new ClientCas(pem));
    }
    this.#current = {};
  }

  get current(): object {
    return this.#current;
  }

  /** With one bundle the handshake used only that one. With several it is unknown which of them it used. */
  accept(socket: Socket): void {
    if (this.#bundles.size === 1) for (const cas of this.#bundles.values()) cas.accept(socket);
  }

  /** With several bundles only the intermediates in the file of the domain count: Node does not show those that a caller presents. */
  vouchFor(socket: Socket, leaf: X509Certificate, id: string, nowMs: number): boolean {
    return this.#bundles.get(trustDomainOf(id))?.vouchFor(socket, leaf, id, nowMs) === true;
  }
}
