// Reads the issuers of a trust file. All mistakes are reported at once, because an issuer that was silently left out would be missed too
// late.

import { ALGORITHMS, CALLER_ALGORITHMS } from '../keys/index.ts';
import {
  canBeAbove,
  hasSpiffeScheme,
  isSpiffeId,
  isWithin,
  type JsonObject,
  type JsonValue,
  parseStrictObject,
  strictJsonProblem,
} from '../token/index.ts';
import { Fields, isObject, type Report, readList, rejectOthers } from './fields.ts';
import type { CallerIdentity, Issuer, KeySource, TokenTrust } from './issuer.ts';
import { CALLER_ALGORITHM_NAMES, canCollide, readCallers, readPastCallers } from './read-callers.ts';
import { readSource, SOURCES } from './read-source.ts';

/** The content of a trust file. `issuers` are those without mistakes; a service starts only if there are none. */
export interface Trust {
  readonly issuers: readonly Issuer[];
  readonly problems: readonly string[];
}

/** The properties of a service that trusts these issuers. */
export interface TrustSurroundings {
  /** Whether it authenticates callers by the JWTs of issuers. */
  readonly authenticatesCallers: boolean;
  /** Whether it has a SPIFFE Workload API. */
  readonly hasWorkloadApi: boolean;
  /** The issuer of the service. Callers have no names below it. */
  readonly ownIssuer: string;
}

const MEMBERS = ['iss', 'subjects', ...SOURCES, 'fetch', 'use', 'algorithms', 'callers'];
const MAX_URI_BYTES = 2048;
/** An OpenID Connect issuer may be the URL of a host with its slash. */
const ISS = /^(?:[A-Za-z][A-Za-z0-9+.-]*:[!-~]+(?<![:/])|https:\/\/[!-.0-~]+(?:\/[!-~]+)?\/)$/;

interface Entry {
  readonly issuer: Issuer;
  readonly place: string;
  readonly isBelow: boolean;
}

/** Reads the text of a trust file. */
export function readTrust(text: string, around: Partial<TrustSurroundings> = {}): Trust {
  const parsed = parseStrictObject(text);
  if (!parsed.ok) return { issuers: [], problems: [strictJsonProblem(text, parsed.fault)] };
  const problems: string[] = [];
  const report = (place: string, rule: string) => problems.push(`${place}: ${rule}.`);
  rejectOthers(parsed.value, ['issuers'], 'the file', report);
  const seen = new Set<string>();
  const entries = readList(parsed.value, 'issuers', 'the file', report).flatMap((issuer, at) =>
    readIssuer(issuer, `issuers[${at}]`, seen, report),
  );
  rejectCollisions(entries, report);
  for (const entry of entries) {
    rejectUnsafeCallers(entry, around, report);
    if (around.hasWorkloadApi === false && entry.issuer.source.kind === 'workload_api') {
      report(`${entry.place}.workload_api`, 'needs ECT_WORKLOAD_API');
    }
    rejectNamesOfIssuers(entry, entries, report);
  }
  if (around.authenticatesCallers === true && !entries.some(({ issuer }) => issuer.callers)) {
    report('the file', 'ECT_CALLER_JWTS=yes and ECT_CALLER_WITS=yes need an issuer with callers in use');
  }
  return { issuers: entries.map((entry) => ({ ...entry.issuer, tokens: tokenTrust(entry, entries) })), problems };
}

function readIssuer(value: JsonValue, place: string, seen: Set<string>, report: Report): readonly Entry[] {
  if (!isObject(value)) {
    report(place, 'must be an object');
    return [];
  }
  const fields = new Fields(value, MEMBERS, place, report);
  const iss = readIss(value, place, seen, report);
  const isBelow = fields.choice('subjects', ['exact', 'below'], 'exact') === 'below';
  if (isBelow && typeof value['iss'] === 'string' && !canBeAbove(value['iss'])) {
    fields.wrong('subjects', 'below needs an iss without query, fragment, escapes, dot segments and empty segments');
  }
  const use = fields.several('use', ['tokens', 'callers', 'past_callers']) ?? ['tokens'];
  const algorithms = fields.several('algorithms', CALLER_ALGORITHM_NAMES);
  const isForTokens = use.includes('tokens');
  const isForCallers = use.includes('callers');
  const isPast = use.includes('past_callers');
  const source =
    isForTokens || isForCallers
      ? readSource(value, place, isForCallers ? CALLER_ALGORITHMS : ALGORITHMS, report)
      : withoutSource(fields);
  if (isForCallers && isPast) fields.wrong('use', 'must not have both callers and past_callers');
  if (!isForCallers && !isPast && value['callers'] !== undefined) fields.wrong('callers', 'needs callers in use');
  if (!isForTokens && value['subjects'] !== undefined) fields.wrong('subjects', 'needs tokens in use');
  if (isForTokens && algorithms !== undefined && !algorithms.some((name) => ALGORITHMS.has(name))) {
    fields.wrong('algorithms', `must have one for tokens: ${[...ALGORITHMS.keys()].join(', ')}`);
  }
  const callers = isForCallers
    ? readCallers(value['callers'], iss ?? '', algorithms, `${place}.callers`, report)
    : undefined;
  const pastCallers =
    isPast && !isForCallers ? readPastCallers(value['callers'], iss ?? '', `${place}.callers`, report) : undefined;
  if (source === undefined) return [];
  const tokens: TokenTrust | undefined = isForTokens ? { speaksFor: () => false, algorithms } : undefined;
  return [{ issuer: { iss: iss ?? '', source, tokens, callers, pastCallers }, place, isBelow }];
}

/** For an issuer that no longer authenticates callers: its keys are not fetched. */
function withoutSource(fields: Fields): KeySource {
  for (const member of [...SOURCES, 'fetch', 'algorithms']) {
    if (fields.object[member] !== undefined) fields.wrong(member, 'is not for an issuer with past_callers alone');
  }
  return { kind: 'inline', keys: [] };
}

function readIss({ iss }: JsonObject, place: string, seen: Set<string>, report: Report): string | undefined {
  if (typeof iss !== 'string' || iss.length > MAX_URI_BYTES || !ISS.test(iss)) {
    report(`${place}.iss`, 'must be an absolute URI that ends in a name');
    return undefined;
  }
  if (hasSpiffeScheme(iss) && !isSpiffeId(iss)) {
    report(`${place}.iss`, 'has the scheme spiffe, so it must be a SPIFFE ID');
    return undefined;
  }
  if (seen.has(iss)) report(`${place}.iss`, 'is there twice: put its keys together');
  seen.add(iss);
  return iss;
}

/** An `iss` has one issuer: the one with its name, or the nearest prefix. No issuer may sign for the name of another one. */
function tokenTrust({ issuer, isBelow }: Entry, all: readonly Entry[]): TokenTrust | undefined {
  const { iss, tokens } = issuer;
  if (tokens === undefined) return undefined;
  if (!isBelow) return { ...tokens, speaksFor: (claim) => claim === iss };
  const nearer = all.filter(
    (other) => other.issuer.tokens && other.issuer.iss !== iss && isWithin(other.issuer.iss, iss),
  );
  const covers = (entry: Entry, claim: string) =>
    entry.isBelow ? isWithin(claim, entry.issuer.iss) : claim === entry.issuer.iss;
  return { ...tokens, speaksFor: (claim) => isWithin(claim, iss) && !nearer.some((other) => covers(other, claim)) };
}

/** How its callers are named, or were. */
function namesOf({ callers, pastCallers }: Issuer): CallerIdentity | undefined {
  return callers?.identity ?? pastCallers;
}

function rejectCollisions(entries: readonly Entry[], report: Report): void {
  for (const [at, { issuer, place }] of entries.entries()) {
    const own = namesOf(issuer);
    if (own === undefined) continue;
    const other = entries.slice(0, at).find((entry) => {
      const theirs = namesOf(entry.issuer);
      return theirs !== undefined && canCollide(own, theirs);
    });
    if (other !== undefined) report(`${place}.callers`, `could name the same callers as ${other.place}.callers`);
  }
}

function rejectUnsafeCallers({ issuer, place }: Entry, around: Partial<TrustSurroundings>, report: Report): void {
  const { authenticatesCallers = true, ownIssuer } = around;
  const identity = namesOf(issuer);
  if (identity === undefined) return;
  if (issuer.callers !== undefined && !authenticatesCallers)
    report(`${place}.callers`, 'needs ECT_CALLER_JWTS=yes or ECT_CALLER_WITS=yes');
  if (identity.kind === 'oidc' && ownIssuer !== undefined && isWithin(identity.prefix.slice(0, -1), ownIssuer)) {
    report(
      `${place}.callers.prefix`,
      'must not be ECT_ISSUER or below it, where callers without an identity are named',
    );
  }
  if (identity.kind === 'oidc' && ownIssuer?.startsWith(identity.prefix)) {
    report(`${place}.callers.prefix`, 'must not be the beginning of ECT_ISSUER: a caller could be called like it');
  }
}

/** Our keys speak for callers by their names, and must not speak for an issuer whose own keys do. */
function rejectNamesOfIssuers({ issuer: named, place }: Entry, all: readonly Entry[], report: Report): void {
  const identity = namesOf(named);
  if (identity?.kind !== 'oidc') return;
  const { prefix } = identity;
  const other = all.find(({ issuer }) => issuer.tokens !== undefined && issuer.iss.startsWith(prefix));
  if (other === undefined) return;
  report(
    `${place}.callers.prefix`,
    `must not be the beginning of ${other.place}.iss, which signs tokens: a caller could be called like it`,
  );
}
