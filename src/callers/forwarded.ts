// An identity that a proxy forwards in a header: `x-forwarded-client-cert` (Envoy) or `l5d-client-id` (Linkerd). The header is
// attacker-controlled, so it is only read on a connection of an authenticated proxy that the operator named.

import { type Caller, proofBy } from '../authority/index.ts';
import { EctError, reject } from '../errors.ts';
import { isWorkloadId, trustDomainOf } from '../token/index.ts';
import type { Authenticator } from './authenticate.ts';
import type { Identify } from './identify.ts';

/** How an identity is forwarded. */
export type ForwardedHeader = 'x-forwarded-client-cert' | 'l5d-client-id';

export interface ForwardingOptions {
  /** SPIFFE IDs of the trusted proxies. */
  readonly proxies: readonly string[];
  /** The header that they set. */
  readonly header: ForwardedHeader;
  /** The caller that a connection proves. */
  readonly identify: Identify;
}

/** Reads the value of a header. Returns its SPIFFE ID; undefined if it has none, or more than one name. */
const READERS: Readonly<Record<ForwardedHeader, (value: string) => string | undefined>> = {
  'x-forwarded-client-cert': readClientCert,
  'l5d-client-id': (value) => value,
};

/**
 * The caller that a proxy names. A request with such a header from another peer is rejected, because only a forger would send it.
 * A request of a proxy is rejected unless the header occurs exactly once and names exactly one workload of the proxy's trust domain,
 * and if it has the header of another kind of proxy, or a similar name (`x_forwarded_client_cert`).
 */
export function forwardedCallers({ proxies, header, identify }: ForwardingOptions): Authenticator {
  const trusted = new Set(proxies);
  const foreign = Object.keys(READERS)
    .flatMap(spellings)
    .filter((name) => name !== header);
  return (presented) => {
    const values = presented.header(header);
    const hasForeign = foreign.some((name) => presented.header(name).length > 0);
    if (values.length === 0 && !hasForeign) return undefined;
    const peer = identify(presented.socket);
    if (peer.kind !== 'spiffe' || !trusted.has(peer.id)) {
      throw invalid(
        'the request names the caller that it is forwarded for, but its connection is not that of a known proxy',
      );
    }
    if (hasForeign) throw invalid(`the request has a header that could be taken for ${header}`);
    const [value = '', ...more] = values;
    if (more.length > 0) throw invalid(`${header} is there more than once`);
    const id = READERS[header](value);
    if (id === undefined) throw invalid(`${header} must have one element with one URI, and no quoted separators`);
    if (!isWorkloadId(id)) throw invalid(`the URI in ${header} is not the SPIFFE ID of a workload`);
    if (trustDomainOf(id) !== trustDomainOf(peer.id)) {
      throw invalid(`the URI in ${header} is of another trust domain than the proxy`);
    }
    if (trusted.has(id)) throw invalid(`the URI in ${header} is that of a proxy, not of a caller`);
    return { kind: 'spiffe', id, proof: proofBy('forwarded', peer.id) };
  };
}

/**
 * The identity of a connection, for requests without a credential. A proxy is never a caller: a request that it forwards without a
 * name would otherwise be made in the name of the proxy.
 */
export function exceptProxies(identify: Identify, proxies: readonly string[]): Identify {
  const trusted = new Set(proxies);
  return (socket) => {
    const peer: Caller = identify(socket);
    if (peer.kind !== 'spiffe' || !trusted.has(peer.id)) return peer;
    throw new EctError(reject('CALLER_UNTRUSTED', 'the proxy has not named the caller of the request'));
  };
}

/** The name with each hyphen unchanged or as an underscore, which some readers treat alike. */
function spellings(name: string): string[] {
  return name.split('-').reduce<string[]>((starts, word, at) => {
    return at === 0 ? [word] : starts.flatMap((start) => [`${start}-${word}`, `${start}_${word}`]);
  }, []);
}

/** The keys of an element in Envoy's format. A certificate may have several DNS names; `By` names the proxy. */
const KEYS = new Set(['by', 'hash', 'cert', 'chain', 'subject', 'uri', 'dns']);
const REPEATED = new Set(['by', 'dns']);
/**
 * A key and its value, which may be quoted. A separator (`,` `;`) or an escape within quotes is rejected, because a reader that ignores
 * quotes would find other elements.
 */
const PAIR = /^([A-Za-z]+)=(?:[!#-+\--:<>-[\]-~]*|"[ !#-+\--:<-[\]-~]*")$/;

/** The URI of the only element of `x-forwarded-client-cert`. */
function readClientCert(value: string): string | undefined {
  const seen = new Map<string, string>();
  for (const pair of value.split(';')) {
    const key = PAIR.exec(pair)?.[1]?.toLowerCase();
    if (key === undefined || !KEYS.has(key) || (seen.has(key) && !REPEATED.has(key))) return undefined;
    seen.set(key, pair.slice(key.length + 1));
  }
  return seen.get('uri');
}

function invalid(message: string): EctError {
  return new EctError(reject('CALLER_ID_INVALID', message));
}
