// Converts the payload of a token into one claim set with the names of -01: determines the draft and checks the types of the claims.

import { type Rejection, reject } from '../errors.ts';
import type { TypedClaims } from './claims.ts';
import { type Draft, draftOf, NAMES } from './drafts.ts';
import { readPolicy } from './policy-claims.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

/** Claims, and the draft that they were written in. */
export interface ReadClaims {
  readonly draft: Draft;
  readonly claims: TypedClaims;
}

/**
 * Step "required claims and types". `payload` is the parsed payload; `oddNumbers` names its numbers that are not written as plain
 * integers; `type` is the `typ` of the header, undefined for an unsigned object.
 */
export function readClaims(
  payload: JsonObject,
  oddNumbers: readonly string[],
  type: string | undefined,
  drafts: readonly Draft[],
): ReadClaims | Rejection {
  const draft = draftOf(payload, type, drafts);
  if (isRejection(draft)) return draft;
  const claims = readTypes(payload, oddNumbers, draft);
  return isRejection(claims) ? claims : { draft, claims };
}

const REQUIRED = {
  '00': ['iss', 'aud', 'iat', 'exp', 'jti', 'exec_act', NAMES['00'].pred],
  '01': ['iss', 'aud', 'iat', 'exp', 'jti', 'exec_act', NAMES['01'].pred],
} as const satisfies Record<Draft, readonly string[]>;

function readTypes(payload: JsonObject, oddNumbers: readonly string[], draft: Draft): TypedClaims | Rejection {
  for (const claim of REQUIRED[draft]) {
    if (payload[claim] === undefined) return reject('CLAIM_MISSING', `The token has no ${claim}.`, { claim });
  }
  const wrong =
    checkText('iss', payload['iss']) ??
    checkText('jti', payload['jti']) ??
    checkText('exec_act', payload['exec_act']) ??
    checkSeconds('iat', payload['iat'], oddNumbers) ??
    checkSeconds('exp', payload['exp'], oddNumbers) ??
    checkSeconds('nbf', payload['nbf'], oddNumbers) ??
    checkSeconds('pol_timestamp', payload['pol_timestamp'], oddNumbers);
  if (wrong !== undefined) return wrong;
  const aud = typeof payload['aud'] === 'string' ? [payload['aud']] : payload['aud'];
  if (!isStrings(aud)) return wrongType('aud', 'a string or a list of strings');
  const names = NAMES[draft];
  const pred = payload[names.pred];
  if (!isStrings(pred)) return reject('PRED_INVALID', `${names.pred} must be a list of strings.`);
  const empty =
    checkNotEmpty('wid', payload['wid']) ??
    checkNotEmpty('inp_hash', payload['inp_hash']) ??
    checkNotEmpty('out_hash', payload['out_hash']);
  if (empty !== undefined) return empty;
  const ext = payload[names.ext];
  if (ext !== undefined && !isObject(ext)) return wrongType(names.ext, 'an object');
  // Draft -00 has `sub`. A subject other than the issuer would make it ambiguous who performed the task. Draft -01 has no such claim.
  const { sub } = payload;
  if (draft === '00' && sub !== undefined && sub !== payload['iss']) return wrongType('sub', 'the same as iss');
  const policy = readPolicy(payload, ext, draft);
  if (isRejection(policy)) return policy;
  const claims: TypedClaims = {
    iss: payload['iss'] as string,
    aud,
    iat: payload['iat'] as number,
    exp: payload['exp'] as number,
    jti: payload['jti'] as string,
    wid: (payload['wid'] ?? '') as string,
    exec_act: payload['exec_act'] as string,
    pred,
    inp_hash: readHash(payload['inp_hash'] as string | undefined, draft),
    out_hash: readHash(payload['out_hash'] as string | undefined, draft),
    ect_ext: ext,
    policy,
  };
  return payload['nbf'] === undefined ? claims : { ...claims, nbf: payload['nbf'] as number };
}

/** In -00 a SHA-256 hash may have its name as a prefix. The prefix is removed. */
function readHash(value: string | undefined, draft: Draft): string {
  if (value === undefined) return '';
  const [, hash] = draft === '00' ? (/^sha-256:(.+)$/s.exec(value) ?? []) : [];
  return hash ?? value;
}

function checkText(claim: string, value: JsonValue | undefined): Rejection | undefined {
  return typeof value === 'string' ? undefined : wrongType(claim, 'a string');
}

function checkSeconds(
  claim: string,
  value: JsonValue | undefined,
  oddNumbers: readonly string[],
): Rejection | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && !oddNumbers.includes(claim))) return undefined;
  return wrongType(claim, 'an integer of seconds');
}

function checkNotEmpty(claim: string, value: JsonValue | undefined): Rejection | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return undefined;
  return wrongType(claim, 'a non-empty string');
}

function wrongType(claim: string, type: string): Rejection {
  return reject('CLAIM_INVALID', `${claim} must be ${type}.`, { claim });
}

function isStrings(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isObject(value: JsonValue): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Whether a result of a reader is a rejection. Must not be called with data of a token, which may have members of any name. */
export function isRejection<T extends object | string>(result: T | Rejection | undefined): result is Rejection {
  return typeof result === 'object' && 'reason' in result;
}
