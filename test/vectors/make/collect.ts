// How vectors are written down: a name, the rule as a sentence, a token, and what is expected of it.

import type { ExpectedVerdict, GraphVector, TokenVector, Vector } from '../../../src/cli/vectors.ts';
import { agentA, ISS, type TestKey, trustIn } from './keys.ts';
import { AUD, NOW, payload, token, uuidOf } from './token.ts';

const collected = new Map<string, Vector>();
const contents = new Set<string>();

/** Every vector that was written down, by name. Two of one name, or of one content, are a mistake. */
export function allVectors(): ReadonlyMap<string, Vector> {
  return collected;
}

function add<V extends Vector>(vector: V): void {
  if (collected.has(vector.name)) throw new Error(`two vectors are named ${vector.name}`);
  const { name, shows, ...content } = vector;
  for (const said of [shows, JSON.stringify(content)]) {
    if (contents.has(said)) throw new Error(`${name} repeats another vector`);
    contents.add(said);
  }
  collected.set(vector.name, vector);
}

/** What a vector may have other than usual. */
export interface Circumstances {
  readonly profile?: string;
  /** The issuers that are trusted; usually the token's own. */
  readonly trusting?: readonly string[];
  readonly audience?: string;
  readonly now?: number;
  readonly inp_hash?: string;
  readonly out_hash?: string;
}

function base(name: string, shows: string, circumstances: Circumstances) {
  const { profile = 'default', trusting = [ISS], now = NOW } = circumstances;
  return { name, shows, profile, trust: trustIn(...trusting), now };
}

function addToken(
  name: string,
  shows: string,
  text: string,
  expected: ExpectedVerdict,
  circumstances: Circumstances,
): void {
  const { audience = AUD, inp_hash, out_hash } = circumstances;
  const hashes = { ...(inp_hash === undefined ? {} : { inp_hash }), ...(out_hash === undefined ? {} : { out_hash }) };
  add<TokenVector>({ ...base(name, shows, circumstances), token: text, audience, ...hashes, expected });
}

/** How a valid token is made, where it is not the usual one. */
export interface Making {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly members?: object;
  readonly key?: TestKey;
  /** The token itself, from its claims. */
  readonly write?: (claims: Readonly<Record<string, unknown>>) => string;
  /** What the claims are read as, where that is not how they are written. */
  readonly read?: Readonly<Record<string, unknown>>;
  readonly level?: 'L1' | 'L2';
}

/** A token that must be accepted, and the claims that it must be read as. */
export function valid(name: string, shows: string, making: Making = {}, circumstances: Circumstances = {}): void {
  const { claims = {}, members = {}, key = agentA, write, read = {}, level = 'L2' } = making;
  // A task id of its own, for verifiers whose guard against replay cannot be switched off.
  const full: Record<string, unknown> = { ...payload, jti: uuidOf(name), ...claims };
  const text = write === undefined ? token(full, members, key) : write(full);
  const aud = typeof full['aud'] === 'string' ? [full['aud']] : full['aud'];
  const policy = policyOf(full['ect_ext'] as object | undefined);
  const known = Object.entries({ ...full, aud, policy, ...read }).filter(
    ([claim, value]) => CLAIMS.has(claim) && value !== undefined,
  );
  addToken(`valid/${name}`, shows, text, { valid: true, level, claims: Object.fromEntries(known) }, circumstances);
}

const CLAIMS = new Set('iss aud iat exp jti wid exec_act pred inp_hash out_hash ect_ext policy'.split(' '));

/** The policy claims of -01, which are read out of the extension. */
function policyOf(ext: object = {}): object | undefined {
  const claims = Object.entries(ext).filter(([name]) => /^(?:pol|pol_.*|compensation_.*)$/.test(name));
  return claims.length === 0 ? undefined : Object.fromEntries(claims);
}

/** Where each reason can only come from one step. */
const STEPS: Readonly<Record<string, string>> = {
  TOKEN_TOO_LARGE: 'size',
  TOKEN_MALFORMED: 'form',
  LEVEL_TOO_LOW: 'level',
  TYP_INVALID: 'typ',
  HEADER_FORBIDDEN: 'header',
  ALG_NOT_ALLOWED: 'alg',
  KID_MISSING: 'key',
  KEY_UNKNOWN: 'key',
  KEY_REVOKED: 'key_state',
  KEY_EXPIRED: 'key_state',
  KEY_MISMATCH: 'key_state',
  SIGNATURE_INVALID: 'signature',
  CLAIM_MISSING: 'claims',
  EXT_TOO_LARGE: 'formats',
  EXT_TOO_DEEP: 'formats',
  ISSUER_MISMATCH: 'issuer',
  AUDIENCE_MISMATCH: 'audience',
  TOKEN_EXPIRED: 'time',
  IAT_IN_FUTURE: 'time',
  TOKEN_NOT_YET_VALID: 'time',
  IAT_TOO_OLD: 'time',
  INPUT_HASH_MISMATCH: 'hashes',
  OUTPUT_HASH_MISMATCH: 'hashes',
};

/** A token that must be rejected. `reason` may be followed by the claim at fault, and by the step where several can say it. */
export function invalid(
  name: string,
  shows: string,
  text: string,
  reasonAndClaim: string,
  circumstances: Circumstances & { readonly step?: string } = {},
): void {
  const [reason = '', claim] = reasonAndClaim.split(' ');
  const step = circumstances.step ?? STEPS[reason];
  if (step === undefined) throw new Error(`${name}: say which step`);
  const expected = { valid: false, reason, step, ...(claim === undefined ? {} : { claim }) } as const;
  addToken(`invalid/${name}`, shows, text, expected, circumstances);
}

/** A bundle of tokens and the graph that they form. */
export function graph(
  name: string,
  shows: string,
  bundle: readonly string[],
  expected: GraphVector['expected'],
  circumstances: Circumstances = {},
): void {
  add<GraphVector>({ ...base(`dag/${name}`, shows, circumstances), bundle, expected });
}
