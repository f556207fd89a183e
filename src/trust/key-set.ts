// Reads a JWK Set of another party (RFC 7517, 5), or a SPIFFE bundle, and determines its usable keys. One bad key does not affect the
// others; it is reported, and never used.

import { isUtf8 } from 'node:buffer';
import { CALLER_ALGORITHMS, readTrustedJwk, type TrustedJwk } from '../keys/index.ts';
import { type JsonObject, type JsonValue, parseStrictObject } from '../token/index.ts';

/** Why a set cannot be used at all, as a message for the operator. */
export class KeySetFault extends Error {
  override readonly name = 'KeySetFault';
}

/** One key of a set. */
export interface ForeignKey extends TrustedJwk {
  /** The JWK as it was read. Equal texts are one key. */
  readonly text: string;
}

export interface KeySetContent {
  /** Keys with distinct `kid` values. None: nothing of the issuer is trusted. */
  readonly keys: readonly ForeignKey[];
  /** A message for each unusable key. */
  readonly problems: readonly string[];
}

const MAX_KEYS = 100;

/** The `use` of a key in the bundle of a trust domain (SPIFFE Trust Domain and Bundle, 4.2). */
const JWT_SVID = 'jwt-svid';
const X509_SVID = 'x509-svid';

/** Reads the text of a set. `isBundle`: it may be the bundle of a trust domain. KeySetFault if no key can be used. */
export function readKeySet(bytes: Buffer, isBundle: boolean): KeySetContent {
  if (!isUtf8(bytes)) throw new KeySetFault('the key set is not UTF-8');
  const parsed = parseStrictObject(bytes.toString('utf8'));
  if (!parsed.ok) throw new KeySetFault(`the key set is not strict JSON: ${parsed.fault}`);
  return readKeys(parsed.value['keys'], isBundle);
}

/** Reads the member `keys` of a set. */
function readKeys(list: JsonValue | undefined, isBundle: boolean): KeySetContent {
  if (!Array.isArray(list)) throw new KeySetFault('the key set has no list of keys');
  if (list.length > MAX_KEYS) throw new KeySetFault(`the key set has more than ${MAX_KEYS} keys`);
  const items = list as readonly JsonValue[];
  const isTwice = repeatedIn(items.map(kidOf));
  const keys: ForeignKey[] = [];
  const problems: string[] = [];
  for (const [at, item] of items.entries()) {
    if (isBundle && isObject(item) && item['use'] === X509_SVID) continue;
    const key = isTwice.has(kidOf(item)) ? 'its kid is there twice' : readKey(item, isBundle);
    if (typeof key === 'string') problems.push(`keys[${at}]: ${key}`);
    else keys.push(key);
  }
  if (keys.length > 0) return { keys, problems };
  throw new KeySetFault(['the key set has no key that can be used', ...problems].join('; '));
}

function readKey(item: JsonValue, isBundle: boolean): ForeignKey | string {
  if (!isObject(item)) return 'it must be an object';
  const jwk = isBundle && item['use'] === JWT_SVID ? { ...item, use: 'sig' } : item;
  const key = readTrustedJwk(jwk, CALLER_ALGORITHMS);
  return typeof key === 'string' ? key : { ...key, text: JSON.stringify(item) };
}

function kidOf(item: JsonValue): JsonValue | undefined {
  return isObject(item) ? item['kid'] : undefined;
}

function repeatedIn(kids: readonly (JsonValue | undefined)[]): ReadonlySet<JsonValue | undefined> {
  const seen = new Set<JsonValue | undefined>();
  const repeated = new Set<JsonValue | undefined>();
  for (const kid of kids.filter((value) => typeof value === 'string')) (seen.has(kid) ? repeated : seen).add(kid);
  return repeated;
}

function isObject(value: JsonValue): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
