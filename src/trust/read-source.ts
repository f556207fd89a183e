// Reads the source of the keys of an issuer.

import { type Algorithm, readTrustedJwk } from '../keys/index.ts';
import { isSpiffeId, isWorkloadId, type JsonObject, trustDomainOf } from '../token/index.ts';
import { urlFault } from './document.ts';
import { Fields, isObject, type Report, readList } from './fields.ts';
import type { KeySource, LoadedSource } from './issuer.ts';
import type { ForeignKey } from './key-set.ts';

/** An issuer has exactly one of these. */
export const SOURCES = ['jwks', 'jwks_file', 'jwks_uri', 'discovery', 'authority', 'workload_api'] as const;
const FETCH_MEMBERS = ['refresh_seconds', 'cooldown_seconds', 'max_stale_seconds', 'network', 'ca_file', 'token_file'];

const DAY_SECONDS = 86_400;
/** A path, not the content of a file. */
const PATH = /^[^\n\0]{1,4096}$/;

/** Reads the source of an issuer. Undefined, with a reported mistake, if it cannot be read. */
export function readSource(
  issuer: JsonObject,
  place: string,
  algorithms: ReadonlyMap<string, Algorithm>,
  report: Report,
): KeySource | undefined {
  const named = SOURCES.filter((name) => issuer[name] !== undefined);
  const [kind, another] = named;
  if (kind === undefined || another !== undefined) {
    report(place, `must have exactly one of ${SOURCES.join(', ')}`);
    return undefined;
  }
  if (kind === 'jwks') {
    if (issuer['fetch'] !== undefined) report(`${place}.fetch`, 'is of no use with jwks, which nobody fetches');
    return readInline(issuer['jwks'], `${place}.jwks`, algorithms, report);
  }
  if (kind === 'workload_api') return readWorkloadApi(issuer, place, report);
  return readLoaded(kind, issuer, place, report);
}

/** The agent reports changed keys itself, so its last report is read. */
function readWorkloadApi(issuer: JsonObject, place: string, report: Report): LoadedSource | undefined {
  const { iss } = issuer;
  if (issuer['workload_api'] !== true) report(`${place}.workload_api`, 'must be true');
  if (typeof iss !== 'string' || !isSpiffeId(iss) || isWorkloadId(iss)) {
    report(`${place}.workload_api`, 'needs the SPIFFE ID of a trust domain as iss');
    return undefined;
  }
  const fetch = issuer['fetch'] ?? {};
  if (!isObject(fetch)) {
    report(`${place}.fetch`, 'must be an object');
    return undefined;
  }
  const fields = new Fields(fetch, ['max_stale_seconds'], `${place}.fetch`, report);
  const maxStaleMs = 1000 * fields.whole('max_stale_seconds', DAY_SECONDS, 60, 30 * DAY_SECONDS);
  return {
    kind: 'workload_api',
    place: trustDomainOf(iss),
    network: 'loopback',
    caFile: undefined,
    tokenFile: undefined,
    times: { refreshMs: 5_000, cooldownMs: 1_000, maxStaleMs },
  };
}

function readInline(
  set: JsonObject[string] | undefined,
  place: string,
  algorithms: ReadonlyMap<string, Algorithm>,
  report: Report,
): KeySource | undefined {
  if (!isObject(set)) {
    report(place, 'must be a JWK Set');
    return undefined;
  }
  const kids = new Set<string>();
  const keys: ForeignKey[] = [];
  for (const [at, jwk] of readList(set, 'keys', place, report).entries()) {
    const key = isObject(jwk) ? readTrustedJwk(jwk, algorithms) : 'it must be an object';
    if (typeof key === 'string') report(`${place}.keys[${at}]`, key);
    else if (kids.has(key.kid)) report(`${place}.keys[${at}]`, 'its kid is there twice');
    else keys.push({ ...key, text: JSON.stringify(jwk) });
    if (typeof key !== 'string') kids.add(key.kid);
  }
  return { kind: 'inline', keys };
}

function readLoaded(
  kind: LoadedSource['kind'],
  issuer: JsonObject,
  place: string,
  report: Report,
): LoadedSource | undefined {
  const fetch = issuer['fetch'] ?? {};
  if (!isObject(fetch)) {
    report(`${place}.fetch`, 'must be an object');
    return undefined;
  }
  const isFile = kind === 'jwks_file';
  const members = isFile ? FETCH_MEMBERS.slice(0, 1) : FETCH_MEMBERS;
  const fields = new Fields(fetch, members, `${place}.fetch`, report);
  const refreshSeconds = fields.whole('refresh_seconds', isFile ? 5 : 300, 1, DAY_SECONDS);
  const cooldownSeconds = isFile ? 1 : fields.whole('cooldown_seconds', 30, 1, 3600);
  const maxStaleSeconds = fields.whole('max_stale_seconds', DAY_SECONDS, 60, 30 * DAY_SECONDS);
  if (!isFile && maxStaleSeconds < refreshSeconds)
    fields.wrong('max_stale_seconds', 'must be refresh_seconds at least');
  const network = fields.choice('network', ['public', 'private', 'loopback'], 'public');
  const where = issuer[kind];
  const fault = isFile ? pathFault(where) : placeFault(where, network);
  if (fault !== undefined) report(`${place}.${kind}`, fault);
  const source: LoadedSource = {
    kind,
    place: typeof where === 'string' ? where : '',
    network,
    caFile: fields.text('ca_file', PATH, 'the path of a file'),
    tokenFile: fields.text('token_file', PATH, 'the path of a file'),
    times: {
      refreshMs: 1000 * refreshSeconds,
      cooldownMs: 1000 * cooldownSeconds,
      // The keys of an unreadable file do not become stale: a key cannot have been removed from it.
      maxStaleMs: isFile ? Number.POSITIVE_INFINITY : 1000 * maxStaleSeconds,
    },
  };
  return fault === undefined ? source : undefined;
}

function pathFault(value: JsonObject[string] | undefined): string | undefined {
  return typeof value === 'string' && PATH.test(value) ? undefined : 'must be the path of a file';
}

function placeFault(value: JsonObject[string] | undefined, network: LoadedSource['network']): string | undefined {
  if (typeof value !== 'string' || value.length > 2048 || !URL.canParse(value)) return 'must be a URL';
  return urlFault(new URL(value), network);
}
