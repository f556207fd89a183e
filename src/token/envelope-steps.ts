// The verification steps on the envelope of a token: its form, its header, its key and its signature. Each answers a
// rejection, `skipped`, or undefined when it holds; each relies on what it names as needed in TOKEN_STEPS and on nothing else.

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
  // No character has more than three bytes of UTF-8 for each of its UTF-16 units: most texts need not be measured.
  if (text.length > limit || (3 * text.length > limit && Buffer.byteLength(text) > limit)) {
    return reject('TOKEN_TOO_LARGE', 'The token is too long.', { limit_bytes: String(limit) });
  }
  state.bounded = true;
  return undefined;
}

export function checkForm(state: VerificationState): Rejection | undefined {
  // What looks signed is signed or rejected: never an unsigned object, whatever else it may be.
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

/** A signed token is of level L2 at least; whether it is recorded is not seen from the token. */
export function checkLevel({ parts, content, policy, options }: VerificationState): Rejection | undefined {
  if (parts !== undefined) return undefined;
  const minimum = requiredLevel(policy, options.minimumLevel, content.payload['exec_act']);
  if (minimum !== 'L1') {
    return reject('LEVEL_TOO_LOW', `The token is unsigned (L1), and must be ${minimum} at least.`, { minimum });
  }
  // Draft -00 has no levels, so an unsigned object is one of -01 or nothing.
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

/** A key never comes from the token, no URL in a token is ever fetched, and the payload is always base64url JSON. */
const FOREIGN_MEMBERS = ['crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u', 'x5t', 'x5t#S256', 'trust_chain', 'zip', 'cty'];
/** Members of encryption (RFC 7516, RFC 7518): a token that has one says that it is no JWS. */
const ENCRYPTION_MEMBERS = ['enc', 'epk', 'apu', 'apv', 'iv', 'tag', 'p2s', 'p2c'];
const FORBIDDEN_MEMBERS: ReadonlySet<string> = new Set([...FOREIGN_MEMBERS, ...ENCRYPTION_MEMBERS]);
const REGISTERED_CLAIMS = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'];
const TASK_CLAIMS = ['wid', 'exec_act', 'pred'];
/** Claims that a header may repeat (RFC 7519, 5.3). Another value than in the payload would be a second answer. */
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
  // `iss` only chooses among trusted keys here; whether the key speaks for it is asked again once it is signed for.
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
  // One RSA key would verify under two algorithms: it is used with those that it is for.
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
