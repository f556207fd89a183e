// The verification steps on the envelope of a token: its form, its header, its key and its signature. Each answers a
// refusal, `skipped`, or undefined when it holds; each relies on what it names as needed in TOKEN_STEPS and on nothing else.

import { type Refusal, refuse } from '../errors.ts';
import { ALGORITHMS } from '../keys/index.ts';
import { looksCompact, readCompact } from './compact.ts';
import { TYPES } from './drafts.ts';
import { requiredLevel } from './level.ts';
import type { Reading } from './reading.ts';
import { readUnsigned } from './unsigned.ts';

export function checkSize(reading: Reading): Refusal | undefined {
  const { text, policy } = reading;
  const limit = policy.maxTokenBytes;
  // No character has more than three bytes of UTF-8 for each of its UTF-16 units: most texts need not be measured.
  if (text.length > limit || (3 * text.length > limit && Buffer.byteLength(text) > limit)) {
    return refuse('TOKEN_TOO_LARGE', 'The token is too long.', { limit_bytes: String(limit) });
  }
  reading.bounded = true;
  return undefined;
}

export function checkForm(reading: Reading): Refusal | undefined {
  // What looks signed is signed or refused: never an unsigned object, whatever else it may be.
  return looksCompact(reading.text) ? readSigned(reading) : readObject(reading);
}

function readSigned(reading: Reading): Refusal | undefined {
  const read = readCompact(reading.text);
  if (!read.ok) return malformed(read.fault);
  reading.parts = read.parts;
  reading.content = read.parts;
  return undefined;
}

function readObject(reading: Reading): Refusal | undefined {
  const content = readUnsigned(reading.text);
  if (typeof content === 'string') return malformed(content);
  reading.content = content;
  return undefined;
}

function malformed(fault: string): Refusal {
  return refuse('TOKEN_MALFORMED', `The token is malformed: ${fault}.`);
}

/** A signed token is of level L2 at least; whether it is recorded is not seen from the token. */
export function checkLevel({ parts, content, policy, question }: Reading): Refusal | undefined {
  if (parts !== undefined) return undefined;
  const minimum = requiredLevel(policy, question.minimumLevel, content.payload['exec_act']);
  if (minimum !== 'L1') {
    return refuse('LEVEL_TOO_LOW', `The token is unsigned (L1), and must be ${minimum} at least.`, { minimum });
  }
  // Draft -00 has no levels, so an unsigned object is one of -01 or nothing.
  return policy.drafts.includes('01')
    ? undefined
    : refuse('LEVEL_TOO_LOW', 'The token is unsigned (L1), and draft -01 is not accepted here.', { minimum: 'L2' });
}

export function checkType({ parts, policy }: Reading): Refusal | undefined {
  const type = parts.header['typ'];
  if (type === TYPES['01'] ? policy.drafts.includes('01') : type === TYPES['00']) return undefined;
  const allowed = policy.drafts.includes('01') ? `${TYPES['01']} or ${TYPES['00']}` : TYPES['00'];
  return refuse('TYP_INVALID', `The header's typ must be ${allowed}.`);
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

export function checkHeader({ parts: { header, payload } }: Reading): Refusal | undefined {
  for (const member of Object.keys(header)) {
    if (FORBIDDEN_MEMBERS.has(member)) {
      return refuse('HEADER_FORBIDDEN', `The header must not have ${member}.`, { member });
    }
    if (REPEATED_CLAIMS.has(member) && JSON.stringify(header[member]) !== JSON.stringify(payload[member])) {
      return refuse('HEADER_FORBIDDEN', `The header must not have another ${member} than the payload.`, { member });
    }
  }
  return undefined;
}

export function checkAlgorithm(reading: Reading): Refusal | undefined {
  const name = reading.parts.header['alg'];
  const allowed = typeof name === 'string' && reading.policy.algorithms.includes(name);
  const algorithm = allowed ? ALGORITHMS.get(name) : undefined;
  if (algorithm === undefined)
    return refuse('ALG_NOT_ALLOWED', `alg must be ${reading.policy.algorithms.join(' or ')}.`);
  reading.algorithm = algorithm;
  return undefined;
}

const MAX_KID_CHARACTERS = 256;

export function findKey(reading: Reading): Refusal | undefined {
  const { header, payload } = reading.parts;
  const kid = header['kid'];
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_CHARACTERS) {
    return refuse('KID_MISSING', `The header must have a kid of 1 to ${MAX_KID_CHARACTERS} characters.`);
  }
  // `iss` only chooses among trusted keys here; whether the key speaks for it is asked again once it is signed for.
  const iss = payload['iss'];
  const key = reading.keys.find(kid, typeof iss === 'string' ? iss : '');
  if (key === undefined) return refuse('KEY_UNKNOWN', 'No trusted key has this kid.');
  reading.key = key;
  return undefined;
}

export function checkKey(reading: Reading): Refusal | undefined {
  const { key, keys, algorithm, question } = reading;
  const { notBefore, notAfter, publicKey, algorithms } = key;
  const at = question.asOf ?? question.now;
  const compromisedAt = keys.compromisedAt(key);
  // One RSA key would verify under two algorithms: it is used with those that it is for.
  if (algorithms?.includes(algorithm.name) !== false && algorithm.fits(publicKey)) reading.fits = true;
  if (compromisedAt !== undefined && (question.recordedAt ?? at) >= compromisedAt) {
    return refuse('KEY_REVOKED', 'The key was revoked.');
  }
  if (notBefore !== undefined && at < notBefore) return refuse('KEY_EXPIRED', 'The key is not in force yet.');
  if (notAfter !== undefined && at >= notAfter) return refuse('KEY_EXPIRED', 'The key has expired.');
  return reading.fits ? undefined : refuse('KEY_MISMATCH', `The key does not fit ${algorithm.name}.`);
}

export function checkSignature({ parts, algorithm, key, memo, isRemembered }: Reading): Refusal | undefined {
  if (isRemembered ?? memo?.holds(parts, key)) return undefined;
  if (!algorithm.verify(key.publicKey, parts.signingInput, parts.signature)) {
    return refuse('SIGNATURE_INVALID', 'The signature does not verify.');
  }
  memo?.remember(parts, key);
  return undefined;
}
