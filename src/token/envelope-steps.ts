// The verification steps on the envelope of a token: its form, header, key and signature. Each step returns a rejection, `skipped`, or
// undefined if it succeeds. A step uses only the findings that TOKEN_STEPS lists for it as needed.

import { type Rejection, reject } from '../errors.ts';
import { ALGORITHMS, hasMoreCharacters, MAX_KID_CHARACTERS } from '../keys/index.ts';
import { looksCompact, readCompact } from './compact.ts';
import { TYPES } from './drafts.ts';
import { requiredLevel } from './level.ts';
import { readUnsigned } from './unsigned.ts';
import type { VerificationState } from './verification-state.ts';

export function checkSize(state: VerificationState): Rejection | undefined {
  const { text, policy } = state;
  const limit = policy.maxTokenBytes;
  // A UTF-16 unit has at most three bytes in UTF-8, so the bytes of most texts need not be counted.
  if (text.length > limit || (3 * text.length > limit && Buffer.byteLength(text) > limit)) {
    return reject('TOKEN_TOO_LARGE', 'The token is too long.', { limit_bytes: String(limit) });
  }
  state.bounded = true;
  return undefined;
}

export function checkForm(state: VerificationState): Rejection | undefined {
  // A text with the form of a signed token is never read as an unsigned object, so a removed signature cannot go unnoticed.
  return looksCompact(state.text) ? readSigned(state) : readObject(state);
}

function readSigned(state: VerificationState): Rejection | undefined {
  const read = readCompact(state.text);
  if (!read.ok) return malformed(read.fault);
  state.parts = read.parts;
  state.content = read.parts;
  return undefined;
}

function readObject(state: VerificationState): Rejection | undefined {
  const content = readUnsigned(state.text);
  if (typeof content === 'string') return malformed(content);
  state.content = content;
  return undefined;
}

function malformed(fault: string): Rejection {
  return reject('TOKEN_MALFORMED', `The token is malformed: ${fault}.`);
}

/** A signed token has at least level L2. The token does not show whether it is recorded. */
export function checkLevel({ parts, content, policy, options }: VerificationState): Rejection | undefined {
  if (parts !== undefined) return undefined;
  const minimum = requiredLevel(policy, options.minimumLevel, content.payload['exec_act']);
  if (minimum !== 'L1') {
    return reject('LEVEL_TOO_LOW', `The token is unsigned (L1), and must be ${minimum} at least.`, { minimum });
  }
  // Draft -00 has no levels, so an unsigned object can only be of draft -01.
  return policy.drafts.includes('01')
    ? undefined
    : reject('LEVEL_TOO_LOW', 'The token is unsigned (L1), and draft -01 is not accepted here.', { minimum: 'L2' });
}

export function checkType({ parts, policy }: VerificationState): Rejection | undefined {
  const type = parts.header['typ'];
  if (type === TYPES['01'] ? policy.drafts.includes('01') : type === TYPES['00']) return undefined;
  const allowed = policy.drafts.includes('01') ? `${TYPES['01']} or ${TYPES['00']}` : TYPES['00'];
  return reject('TYP_INVALID', `The header's typ must be ${allowed}.`);
}

/**
 * Header members that are rejected: the service takes no key from a token, fetches no URL of a token, and accepts only a base64url JSON
 * payload.
 */
const FOREIGN_MEMBERS = ['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u', 'x5t', 'x5t#S256', 'trust_chain', 'zip', 'cty'];
/** Header members of JWE (RFC 7516, RFC 7518). A token with one of them is not a JWS. */
const ENCRYPTION_MEMBERS = ['enc', 'epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c'];
const FORBIDDEN_MEMBERS: ReadonlySet<string> = new Set([...FOREIGN_MEMBERS, ...ENCRYPTION_MEMBERS]);
const REGISTERED_CLAIMS = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];
const TASK_CLAIMS = ['wid', 'exec_act', 'pred'];
/** Claims that a header may repeat (RFC 7519, 5.3). A value that differs from the payload would be ambiguous, so it is rejected. */
const REPEATED_CLAIMS: ReadonlySet<string> = new Set([...REGISTERED_CLAIMS, ...TASK_CLAIMS]);

export function checkHeader({ parts: { header, payload } }: VerificationState): Rejection | undefined {
  for (const member of Object.keys(header)) {
    if (FORBIDDEN_MEMBERS.has(member)) {
      return reject('HEADER_FORBIDDEN', `The header must not have ${member}.`, { member });
    }
    if (REPEATED_CLAIMS.has(member) && JSON.stringify(header[member]) !== JSON.stringify(payload[member])) {
      return reject('HEADER_FORBIDDEN', `The header must not have another ${member} than the payload.`, { member });
    }
  }
  return undefined;
}

export function checkAlgorithm(state: VerificationState): Rejection | undefined {
  const name = state.parts.header['alg'];
  const allowed = typeof name === 'string' && state.policy.algorithms.includes(name);
  const algorithm = allowed ? ALGORITHMS.get(name) : undefined;
  if (algorithm === undefined) return reject('ALG_NOT_ALLOWED', `alg must be ${state.policy.algorithms.join(' or ')}.`);
  state.algorithm = algorithm;
  return undefined;
}

export function findKey(state: VerificationState): Rejection | undefined {
  const { header, payload } = state.parts;
  const kid = header['kid'];
  if (typeof kid !== 'string' || kid === '' || hasMoreCharacters(kid, MAX_KID_CHARACTERS)) {
    return reject('KID_MISSING', `The header must have a kid of 1 to ${MAX_KID_CHARACTERS} characters.`);
  }
  // `iss` only selects among trusted keys here. Whether the key may sign for `iss` is checked after the signature.
  const iss = payload['iss'];
  const key = state.keys.find(kid, typeof iss === 'string' ? iss : '');
  if (key === undefined) return reject('KEY_UNKNOWN', 'No trusted key has this kid.');
  state.key = key;
  return undefined;
}

export function checkKey(state: VerificationState): Rejection | undefined {
  const { key, keys, algorithm, options } = state;
  const { notBefore, notAfter, publicKey, algorithms } = key;
  const at = options.asOf ?? options.now;
  const compromisedAt = keys.compromisedAt(key);
  // An RSA key can verify signatures of two algorithms. It is used only with the algorithms that it is trusted for.
  if (algorithms?.includes(algorithm.name) !== false && algorithm.fits(publicKey)) state.fits = true;
  if (compromisedAt !== undefined && (options.recordedAt ?? at) >= compromisedAt) {
    return reject('KEY_REVOKED', 'The key was revoked.');
  }
  if (notBefore !== undefined && at < notBefore) return reject('KEY_EXPIRED', 'The key is not in force yet.');
  if (notAfter !== undefined && at >= notAfter) return reject('KEY_EXPIRED', 'The key has expired.');
  return state.fits ? undefined : reject('KEY_MISMATCH', `The key does not fit ${algorithm.name}.`);
}

export function checkSignature({
  parts,
  algorithm,
  key,
  signatureCache,
  isRemembered,
}: VerificationState): Rejection | undefined {
  if (isRemembered ?? signatureCache?.holds(parts, key)) return undefined;
  if (!algorithm.verify(key.publicKey, parts.signingInput, parts.signature)) {
    return reject('SIGNATURE_INVALID', 'The signature does not verify.');
  }
  signatureCache?.remember(parts, key);
  return undefined;
}
