// The trust file: which foreign issuers are believed, and under which keys. It is the operator's, so every mistake in it
// is named at once and none is overlooked: a key that was left out quietly would be found missing at the worst time.

import { canBeAbove, isWithin } from './authority/index.ts';
import { StartError } from './data-dir.ts';
import { readTrustedJwk, type TrustedKey } from './keys/index.ts';
import type { Content, FileGroup } from './reload/index.ts';
import { bytesOf } from './setting-file.ts';
import { type JsonObject, type JsonValue, parseStrictObject } from './token/index.ts';

const MAX_URI_BYTES = 2048;
/** Of unknown members, which the file chose. */
const MAX_NAMED = 3;
const MAX_NAME_CHARACTERS = 80;

/** A trust file as a group of one file. Its StartError names every mistake by its place: `issuers[0].jwks.keys[2]`. */
export function trustFile(path: string): FileGroup<readonly TrustedKey[]> {
  return { name: 'trust', paths: [path], parse: ([content]) => parseTrust(path, content) };
}

function parseTrust(path: string, content: Content | undefined): readonly TrustedKey[] {
  const trust = readTrust(decode(bytesOf('ECT_TRUST_FILE', path, content), path));
  if (trust.problems.length === 0) return trust.keys;
  const lines = trust.problems.map((problem) => `  ${problem}`).join('\n');
  throw new StartError(`The file of ECT_TRUST_FILE (${path}) has mistakes:\n${lines}`);
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new StartError(`The file of ECT_TRUST_FILE is not UTF-8: ${path}.`, { cause });
  }
}

/** What a trust file says. `keys` holds what has no mistake; whoever starts a service demands that there are none. */
export interface Trust {
  readonly keys: readonly TrustedKey[];
  readonly problems: readonly string[];
}

/** Reads the text of a trust file. */
export function readTrust(text: string): Trust {
  const parsed = parseStrictObject(text);
  if (!parsed.ok) return { keys: [], problems: [`It is not strict JSON: ${parsed.fault}.`] };
  const problems: string[] = [];
  const report = (place: string, rule: string) => problems.push(`${place}: ${rule}.`);
  refuseOthers(parsed.value, ['issuers'], 'the file', report);
  const issuers = readList(parsed.value, 'issuers', 'the file', report);
  const seen = new Set<string>();
  const keys = issuers.flatMap((issuer, at) => readIssuer(issuer, `issuers[${at}]`, seen, report));
  return { keys, problems };
}

type Report = (place: string, rule: string) => void;

function readIssuer(issuer: JsonValue, place: string, seen: Set<string>, report: Report): readonly TrustedKey[] {
  if (!isObject(issuer)) {
    report(place, 'must be an object');
    return [];
  }
  const { iss, subjects } = issuer;
  if (typeof iss !== 'string' || iss.length > MAX_URI_BYTES || !/^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+(?<![:/])$/.test(iss)) {
    report(`${place}.iss`, 'must be an absolute URI that ends in a name');
  } else if (seen.has(iss)) {
    report(`${place}.iss`, 'is there twice: put its keys together');
  } else {
    seen.add(iss);
  }
  if (subjects !== undefined && subjects !== 'exact' && subjects !== 'below') {
    report(`${place}.subjects`, 'must be exact or below');
  } else if (subjects === 'below' && typeof iss === 'string' && !canBeAbove(iss)) {
    report(`${place}.subjects`, 'below needs an iss without query, fragment, escapes, dot segments and empty segments');
  }
  refuseOthers(issuer, ['iss', 'subjects', 'jwks'], place, report);
  const set = issuer['jwks'];
  if (set === undefined || !isObject(set)) {
    report(`${place}.jwks`, 'must be a JWK Set');
    return [];
  }
  const name = typeof iss === 'string' ? iss : '';
  const speaksFor = subjects === 'below' ? (claim: string) => isWithin(claim, name) : (claim: string) => claim === name;
  return readKeys(set, `${place}.jwks`, speaksFor, report);
}

function readKeys(
  set: JsonObject,
  place: string,
  speaksFor: (iss: string) => boolean,
  report: Report,
): readonly TrustedKey[] {
  const kids = new Set<string>();
  return readList(set, 'keys', place, report).flatMap((jwk, at) => {
    const key = isObject(jwk) ? readTrustedJwk(jwk) : 'it must be an object';
    if (typeof key !== 'string' && !kids.has(key.kid)) {
      kids.add(key.kid);
      return [{ ...key, speaksFor }];
    }
    report(`${place}.keys[${at}]`, typeof key === 'string' ? key : 'its kid is there twice');
    return [];
  });
}

/** A list that is not empty; a mistake, and nothing, otherwise. */
function readList(object: JsonObject, name: string, place: string, report: Report): readonly JsonValue[] {
  const list = object[name];
  if (Array.isArray(list) && list.length > 0) return list as readonly JsonValue[];
  report(place, `${name} must be a list that is not empty`);
  return [];
}

function refuseOthers(object: JsonObject, members: readonly string[], place: string, report: Report): void {
  const others = Object.keys(object).filter((member) => !members.includes(member));
  if (others.length === 0) return;
  const names = others.slice(0, MAX_NAMED).map((member) => JSON.stringify(member).slice(0, MAX_NAME_CHARACTERS));
  report(place, `has the unknown member ${names.join(', ')}; known are ${members.join(', ')}`);
}

function isObject(value: JsonValue): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
