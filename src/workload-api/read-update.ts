// Converts a message of the agent into certificate, key, and the CAs of each trust domain. A fault in the service's own identity rejects
// the whole message; a fault in a federated bundle rejects that bundle only.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { leadsToRoot } from '../callers/client-cas.ts';
import { DerError, splitAll } from '../callers/der.ts';
import { serverFault } from '../callers/server-id.ts';
import type { WorkloadApiConfig } from '../config/workload-api.ts';
import { type CertificateTerm, isInForce, termOf } from '../config-files/certificate-term.ts';
import type { TlsTexts } from '../config-files/tls-files.ts';
import type { X509SVID, X509SVIDResponse } from '../gen/spiffe/workload_pb.ts';
import { isSpiffeId, isWorkloadId, trustDomainOf } from '../token/index.ts';
import { WorkloadApiFault } from './fault.ts';

/** The identity of the service, and the CAs of the trust domains that it accepts. */
export interface Identity {
  readonly spiffeId: string;
  readonly texts: TlsTexts & { readonly bundles: ReadonlyMap<string, string> };
  /** When all certificates of the chain are valid, in milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** A sentence for each unusable federated bundle. */
  readonly problems: readonly string[];
}

/** The maximum of a chain and of a bundle. */
const MAX_CERTIFICATES = 100;
/** The maximum of all federated bundles. To read and use this many blocks the event loop for about 50 ms. */
const MAX_FEDERATED_CERTIFICATES = 200;
/** A message with more federated bundles is rejected unread. */
const MAX_FEDERATED_BUNDLES = 1_000;

/** Throws WorkloadApiFault if the message is invalid. */
export function readUpdate(
  response: X509SVIDResponse,
  { svid: choice, address }: Pick<WorkloadApiConfig, 'svid' | 'address'>,
  nowMs: number,
): Identity {
  const svid = choose(response.svids, choice);
  const { spiffeId } = svid;
  if (!isWorkloadId(spiffeId)) throw new WorkloadApiFault('the spiffe_id of the X.509-SVID is not that of a workload');
  const chain = readCertificates(svid.x509Svid, 'the X.509-SVID');
  const leaf = chain[0]!;
  const mismatch = serverFault(leaf.raw, spiffeId);
  if (mismatch !== undefined) throw new WorkloadApiFault(mismatch.message);
  const term = firstToEnd(chain.map(termOf));
  if (!isInForce(term, nowMs)) throw new WorkloadApiFault(outOfTime(term, nowMs));
  const key = readKey(svid.x509SvidKey, leaf);
  const own = readBundle(svid.bundle, 'the bundle of its own trust domain', nowMs);
  const intermediates = chain.slice(1);
  if (!leadsToRoot(leaf, [...intermediates.filter(isStep), ...own], nowMs)) {
    throw new WorkloadApiFault('the bundle of its own trust domain does not vouch for the X.509-SVID');
  }
  const problems: string[] = [];
  const federated = readFederated(response.federatedBundles, trustDomainOf(spiffeId), nowMs, problems);
  // With several trust domains only stored intermediates are used, and these are the ones that neighbours share.
  const steps = federated.size > 0 ? intermediates.filter(isStep) : [];
  const all = new Map([[trustDomainOf(spiffeId), [...own, ...steps]], ...federated]);
  const bundles = new Map([...all].map(([domain, cas]) => [domain, pemOf(cas)]));
  const texts = { cert: pemOf(chain), key, clientCa: [...bundles.values()].join('\n'), bundles };
  demandUsable(texts);
  const cas = firstToEnd([...own, ...[...federated.values()].flat()].map(termOf).filter((ca) => isInForce(ca, nowMs)));
  const terms: readonly CertificateTerm[] = [
    { certificate: 'server', path: address, ...term },
    { certificate: 'client-ca', path: address, ...cas },
  ];
  return { spiffeId, texts: { ...texts, terms }, ...term, problems };
}

function choose(svids: readonly X509SVID[], choice: WorkloadApiConfig['svid']): X509SVID {
  if (svids.length === 0) throw new WorkloadApiFault('the message has no X.509-SVID');
  const found = svids.find(({ spiffeId, hint }) => {
    if (choice === undefined) return true;
    return 'hint' in choice ? hint === choice.hint : spiffeId === choice.spiffeId;
  });
  if (found !== undefined) return found;
  throw new WorkloadApiFault(
    `none of the ${svids.length} X.509-SVIDs for this process has the SPIFFE ID or hint of ECT_WORKLOAD_API_SVID`,
  );
}

/** Reads concatenated certificates in DER. */
function readCertificates(bytes: Uint8Array, what: string): readonly X509Certificate[] {
  let found: readonly X509Certificate[];
  try {
    const parts = splitAll(bytes);
    if (parts.length > MAX_CERTIFICATES) throw new DerError('too many');
    found = parts.map((part) => new X509Certificate(part));
  } catch {
    throw new WorkloadApiFault(`${what} cannot be read: it must be certificates in DER, at most ${MAX_CERTIFICATES}`);
  }
  if (found.length === 0) throw new WorkloadApiFault(`${what} is empty`);
  return found;
}

/** Returns the CAs of a trust domain. At least one must be valid now, because TLS would accept no certificate with the others. */
function readBundle(bytes: Uint8Array, what: string, nowMs: number): readonly X509Certificate[] {
  const cas = readCertificates(bytes, what);
  if (cas.some((ca) => isInForce(termOf(ca), nowMs))) return cas;
  throw new WorkloadApiFault(`${what} has no certificate that is in force`);
}

/**
 * Reads the smallest bundles first: a federated trust domain determines the size of its own bundle, which must not displace those of
 * others. An unusable bundle counts as one certificate.
 */
function readFederated(
  bundles: Readonly<Record<string, Uint8Array>>,
  ownDomain: string,
  nowMs: number,
  problems: string[],
): ReadonlyMap<string, readonly X509Certificate[]> {
  const ids = Object.keys(bundles);
  if (ids.length > MAX_FEDERATED_BUNDLES) {
    throw new WorkloadApiFault(`the message has more than ${MAX_FEDERATED_BUNDLES} federated bundles`);
  }
  const sizeOf = (id: string) => bundles[id]!.length;
  ids.sort((a, b) => sizeOf(a) - sizeOf(b) || (a < b ? -1 : 1));
  const read = new Map<string, readonly X509Certificate[]>();
  let left = MAX_FEDERATED_CERTIFICATES;
  for (const [at, id] of ids.entries()) {
    let cost = 1;
    try {
      const [domain, cas] = readFederatedBundle(id, bundles[id]!, ownDomain, nowMs);
      cost = cas.length;
      if (cost <= left) read.set(domain, cas);
    } catch (error) {
      if (!(error instanceof WorkloadApiFault)) throw error;
      problems.push(error.message);
    }
    left -= cost;
    if (left >= 0) continue;
    problems.unshift(
      `of the federated bundles the largest ${ids.length - at} are not used: all may have ${MAX_FEDERATED_CERTIFICATES} certificates together`,
    );
    break;
  }
  return read;
}

function readFederatedBundle(
  id: string,
  bytes: Uint8Array,
  ownDomain: string,
  nowMs: number,
): readonly [string, readonly X509Certificate[]] {
  if (!isSpiffeId(id) || isWorkloadId(id)) throw new WorkloadApiFault('a federated bundle is of no trust domain');
  const domain = trustDomainOf(id);
  if (domain === ownDomain) throw new WorkloadApiFault(`a federated bundle is of its own trust domain, ${domain}`);
  return [domain, readBundle(bytes, `the federated bundle of ${domain}`, nowMs)];
}

function readKey(bytes: Uint8Array, leaf: X509Certificate): string {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(bytes), format: 'der', type: 'pkcs8' });
  } catch {
    // The error of the library contains bytes of the key.
    throw new WorkloadApiFault('the key of the X.509-SVID is not PKCS #8 in DER');
  }
  if (!leaf.checkPrivateKey(key)) throw new WorkloadApiFault('the key is not that of the X.509-SVID');
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** Creates a TLS context, because TLS may reject valid certificates, such as one with a key of an unknown kind. */
function demandUsable({
  cert,
  key,
  clientCa,
}: {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
}) {
  try {
    createSecureContext({ cert, key, ca: clientCa, minVersion: 'TLSv1.2' });
  } catch {
    throw new WorkloadApiFault('TLS cannot use the X.509-SVID with its key');
  }
}

/** Whether a certificate is an intermediate. A self-signed certificate is a root, and only the bundle names roots. */
function isStep(certificate: X509Certificate): boolean {
  return !certificate.checkIssued(certificate);
}

function firstToEnd<Term extends { readonly notAfterMs: number }>(terms: readonly Term[]): Term {
  return terms.reduce((least, term) => (term.notAfterMs < least.notAfterMs ? term : least));
}

function outOfTime(
  { notBeforeMs, notAfterMs }: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
): string {
  return nowMs > notAfterMs
    ? `the X.509-SVID expired at ${new Date(notAfterMs).toISOString()}`
    : `the X.509-SVID is not valid before ${new Date(notBeforeMs).toISOString()}`;
}

function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}
