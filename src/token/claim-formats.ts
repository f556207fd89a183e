// The format rule of each claim. The types of the claims have been checked before.

import { type Rejection, reject } from '../errors.ts';
import { hasMoreCharacters } from '../keys/index.ts';
import type { TypedClaims } from './claims.ts';
import { decodeBase64url } from './compact.ts';
import type { Draft } from './drafts.ts';
import { LAST_SECOND } from './seconds.ts';
import { hasSpiffeScheme, isSpiffeId } from './spiffe-id.ts';
import { depthOf, type JsonObject } from './strict-json.ts';

/** The rules for claims that an operator can configure. */
export interface ClaimPolicy {
  readonly maxLifetimeSeconds: number;
  /** The format of ids: UUIDs only (RFC 9562), or 1 to 256 printable ASCII characters. */
  readonly ids: 'uuid' | 'text';
}

export const MAX_URI_BYTES = 2048;
export const MAX_AUDIENCES = 64;
export const MAX_EXEC_ACT_CHARACTERS = 256;
export const MAX_PREDECESSORS = 100;
export const MAX_EXT_BYTES = 4096;
export const MAX_EXT_DEPTH = 5;

interface IdForm {
  readonly characters: number;
  readonly pattern: RegExp;
  readonly one: string;
}

export const ID_FORMS = {
  uuid: { characters: 36, pattern: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, one: 'a UUID in lower case' },
  text: { characters: 256, pattern: /^[\x20-\x7e]{1,256}$/, one: '1 to 256 printable ASCII characters' },
} as const satisfies Record<ClaimPolicy['ids'], IdForm>;

const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;
/** Control characters, and lone surrogates, which UTF-8 cannot encode. */
const CONTROL = /[\p{Cc}\p{Cs}]/u;
const SPIFFE_RULE =
  'has the scheme spiffe, so it must be a SPIFFE ID: spiffe://trust-domain/path in lower-case domain, without escapes or dot or empty segments';
/** 32 bytes in canonical base64url. The last character carries four bits; its two unused bits must be zero. */
const SHA_256 = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const LONGER_HASH_BYTES = { 'sha-384': 48, 'sha-512': 64 } as const;

/** Step "formats": checks the format of each claim. Returns the first violation; if it returns undefined, `claims` are valid `Claims`. */
export function checkFormats(claims: TypedClaims, policy: ClaimPolicy, draft: Draft = '01'): Rejection | undefined {
  const ids = ID_FORMS[policy.ids];
  return (
    checkNames(claims) ??
    checkIds(claims, ids) ??
    checkAction(claims.exec_act) ??
    checkLifetime(claims, policy.maxLifetimeSeconds) ??
    checkPredecessors(claims, ids) ??
    checkHash('inp_hash', claims.inp_hash, draft) ??
    checkHash('out_hash', claims.out_hash, draft) ??
    checkExtension(claims.ect_ext)
  );
}

/**
 * Returns every violation of the format rules, so that a caller can correct all of them at once: one rejection for each claim, and for
 * each element of a list. The violation in a rejection names the claim: `pred[3]`. The result is empty if and only if `checkFormats`
 * returns undefined.
 */
export function formatFaults(claims: TypedClaims, policy: ClaimPolicy): readonly Rejection[] {
  const ids = ID_FORMS[policy.ids];
  return [
    ...faultAt('iss', checkIssuer(claims.iss)),
    ...audienceFaults(claims.aud),
    ...faultAt('jti', checkTask(claims.jti, ids)),
    ...faultAt('wid', checkWorkflow(claims.wid, ids)),
    ...faultAt('exec_act', checkAction(claims.exec_act)),
    ...faultAt('exp', checkLifetime(claims, policy.maxLifetimeSeconds)),
    ...predecessorFaults(claims, ids),
    ...faultAt('inp_hash', checkHash('inp_hash', claims.inp_hash, '01')),
    ...faultAt('out_hash', checkHash('out_hash', claims.out_hash, '01')),
    ...faultAt('ect_ext', checkExtension(claims.ect_ext)),
  ];
}

function faultAt(field: string, rejection: Rejection | undefined): readonly Rejection[] {
  return rejection === undefined ? [] : [{ ...rejection, violations: [{ field, description: rejection.message }] }];
}

function audienceFaults(aud: readonly string[]): readonly Rejection[] {
  if (aud.length === 0 || aud.length > MAX_AUDIENCES) return faultAt('aud', checkAudience(aud));
  return aud.flatMap((party, at) => {
    const rule = `[${at}] ${PARTY_RULE}`;
    return isParty(party) ? [] : faultAt(`aud[${at}]`, reject('CLAIM_INVALID', `aud${rule}.`, { claim: 'aud' }));
  });
}

function predecessorFaults({ pred, jti }: TypedClaims, ids: IdForm): readonly Rejection[] {
  if (pred.length > MAX_PREDECESSORS) return faultAt('pred', checkPredecessors({ pred, jti }, ids));
  const seen = new Set<string>();
  return pred.flatMap((id, at) => {
    const isRepeated = seen.has(id);
    seen.add(id);
    const rule = !ids.pattern.test(id)
      ? `must be ${ids.one}`
      : isRepeated
        ? 'names a task that is there before it'
        : id === jti
          ? 'names the task itself'
          : undefined;
    return rule === undefined ? [] : faultAt(`pred[${at}]`, reject('PRED_INVALID', `pred[${at}] ${rule}.`));
  });
}

function checkNames({ iss, aud }: TypedClaims): Rejection | undefined {
  return checkIssuer(iss) ?? checkAudience(aud);
}

function checkIssuer(iss: string): Rejection | undefined {
  if (iss.length > MAX_URI_BYTES || !URI.test(iss)) {
    return broken('iss', `must be an absolute URI of at most ${MAX_URI_BYTES} bytes`);
  }
  // `iss` names a principal, and a principal must have only one spelling.
  return hasSpiffeScheme(iss) && !isSpiffeId(iss) ? broken('iss', SPIFFE_RULE) : undefined;
}

function checkAudience(aud: readonly string[]): Rejection | undefined {
  if (aud.length === 0 || aud.length > MAX_AUDIENCES) return broken('aud', `must have 1 to ${MAX_AUDIENCES} entries`);
  return aud.every(isParty)
    ? undefined
    : broken('aud', `must have entries of 1 to ${MAX_URI_BYTES} bytes without control characters`);
}

export const PARTY_RULE = `must have 1 to ${MAX_URI_BYTES} bytes and no control characters`;

/** Whether `party` is a valid entry of `aud`. */
export function isParty(party: string): boolean {
  // A UTF-16 unit has at most three bytes in UTF-8, so the bytes of a short name need not be counted.
  const isShort = 3 * party.length <= MAX_URI_BYTES || Buffer.byteLength(party) <= MAX_URI_BYTES;
  return party !== '' && isShort && !CONTROL.test(party);
}

function checkIds({ jti, wid }: TypedClaims, ids: IdForm): Rejection | undefined {
  return checkTask(jti, ids) ?? checkWorkflow(wid, ids);
}

function checkTask(jti: string, ids: IdForm): Rejection | undefined {
  return ids.pattern.test(jti) ? undefined : broken('jti', `must be ${ids.one}`);
}

function checkWorkflow(wid: string, ids: IdForm): Rejection | undefined {
  return wid !== '' && !ids.pattern.test(wid) ? broken('wid', `must be ${ids.one}`) : undefined;
}

function checkAction(action: string): Rejection | undefined {
  return action === '' || hasMoreCharacters(action, MAX_EXEC_ACT_CHARACTERS) || CONTROL.test(action)
    ? broken('exec_act', `must have 1 to ${MAX_EXEC_ACT_CHARACTERS} characters and no control characters`)
    : undefined;
}

function checkLifetime({ iat, exp, nbf }: TypedClaims, maxLifetimeSeconds: number): Rejection | undefined {
  if (exp <= iat) return broken('exp', 'must be later than iat');
  // Because of the allowed clock skew such a token would be valid for a while.
  if (nbf !== undefined && nbf >= exp) return broken('nbf', 'must be earlier than exp');
  if (exp - iat > maxLifetimeSeconds) return broken('exp', `must be at most ${maxLifetimeSeconds} s after iat`);
  return exp > LAST_SECOND ? broken('exp', 'must be before the year 10000') : undefined;
}

function checkPredecessors({ pred, jti }: Pick<TypedClaims, 'pred' | 'jti'>, ids: IdForm): Rejection | undefined {
  if (pred.length === 0) return undefined;
  if (pred.length > MAX_PREDECESSORS) return reject('PRED_INVALID', `pred has more than ${MAX_PREDECESSORS} entries.`);
  if (!pred.every((id) => ids.pattern.test(id)))
    return reject('PRED_INVALID', `Each entry of pred must be ${ids.one}.`);
  if (new Set(pred).size !== pred.length) return reject('PRED_INVALID', 'pred names a task twice.');
  return pred.includes(jti) ? reject('PRED_INVALID', 'pred names the task itself.') : undefined;
}

export const HASH_RULE = 'must be a SHA-256 as 43 characters of base64url';

/** Whether `value` is a valid hash claim in either draft. */
export function isHashClaim(value: string): boolean {
  return value !== '' && checkHash('inp_hash', value, '00') === undefined;
}

/** SHA-256 has no prefix. Draft -00 also allows longer hashes, with the name of the hash as a prefix. */
function checkHash(claim: 'inp_hash' | 'out_hash', value: string, draft: Draft): Rejection | undefined {
  if (value === '' || SHA_256.test(value)) return undefined;
  const [, name = '', rest = ''] = draft === '00' ? (/^(sha-384|sha-512):(.*)$/s.exec(value) ?? []) : [];
  return name !== '' && decodeBase64url(rest)?.length === LONGER_HASH_BYTES[name as keyof typeof LONGER_HASH_BYTES]
    ? undefined
    : broken(claim, HASH_RULE);
}

function checkExtension(ext: JsonObject | undefined): Rejection | undefined {
  if (ext === undefined) return undefined;
  if (Buffer.byteLength(JSON.stringify(ext)) > MAX_EXT_BYTES) {
    return reject('EXT_TOO_LARGE', `ect_ext has more than ${MAX_EXT_BYTES} bytes of compact JSON.`, {
      limit_bytes: String(MAX_EXT_BYTES),
    });
  }
  if (depthOf(ext) > MAX_EXT_DEPTH) {
    return reject('EXT_TOO_DEEP', `ect_ext is nested more than ${MAX_EXT_DEPTH} deep.`, {
      limit_depth: String(MAX_EXT_DEPTH),
    });
  }
  return undefined;
}

function broken(claim: string, rule: string): Rejection {
  return reject('CLAIM_INVALID', `${claim} ${rule}.`, { claim });
}
