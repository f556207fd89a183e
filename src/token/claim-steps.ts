// The verification steps on the claims of a token, under the same terms as those on its envelope.

import { type Refusal, refuse } from '../errors.ts';
import { checkFormats } from './claim-formats.ts';
import type { Claims } from './claims.ts';
import { TYPES } from './drafts.ts';
import { isHashOf } from './hash.ts';
import { isRefusal, readClaims } from './read-claims.ts';
import { CheckedToken, type Reading } from './reading.ts';

export function checkClaims(reading: Reading): Refusal | undefined {
  const { parts, content, policy } = reading;
  const read = readClaims(content.payload, content.oddNumbers, typeOf(parts), policy.drafts);
  if (isRefusal(read)) return read;
  reading.draft = read.draft;
  reading.typed = read.claims;
  return undefined;
}

/** In a report another `typ` may have been refused before: the names tell the draft then, as under the older one. */
function typeOf(parts: Reading['parts'] | undefined): string | undefined {
  if (parts === undefined) return undefined;
  return parts.header['typ'] === TYPES['01'] ? TYPES['01'] : TYPES['00'];
}

export function checkClaimFormats(reading: Reading): Refusal | undefined {
  const { typed, draft, policy, content, parts, key } = reading;
  const refusal = checkFormats(typed, policy, draft);
  if (refusal !== undefined || !reading.sound) return refusal;
  // From here on the claims can be trusted as far as the key: every step so far has held.
  const kid = parts === undefined ? undefined : key.kid;
  reading.token = new CheckedToken(typed as Claims, draft, kid, content.signingInput);
  return undefined;
}

export function checkIssuer({ key, typed, policy }: Reading): Refusal | undefined {
  if (!key.speaksFor(typed.iss)) return refuse('ISSUER_MISMATCH', 'The key that signed does not speak for iss.');
  // With the limit on the age of `iat`, a key that leaks after its end is soon of no use.
  const until = key.signsUntil;
  return until === undefined || typed.iat <= until + policy.maxFutureSeconds
    ? undefined
    : refuse('KEY_EXPIRED', 'The key had ended when the token was issued.');
}

export function checkAudience({ typed, question }: Reading): Refusal | 'skipped' | undefined {
  if (question.audience === undefined) return 'skipped';
  return typed.aud.includes(question.audience)
    ? undefined
    : refuse('AUDIENCE_MISMATCH', 'aud does not name the verifier.');
}

export function checkTimes({ typed, question, policy }: Reading): Refusal | undefined {
  const at = question.asOf ?? question.now;
  const isPresented = question.reading === 'presented';
  if (isPresented && typed.exp <= at) return refuse('TOKEN_EXPIRED', 'The token has expired.');
  if (typed.iat > at + policy.maxFutureSeconds) {
    return refuse('IAT_IN_FUTURE', `iat is more than ${policy.maxFutureSeconds} s ahead.`);
  }
  // A record is not from the future either: what was signed for later is no evidence of a task that was done by then.
  if (typed.nbf !== undefined && typed.nbf > at + policy.maxFutureSeconds) {
    return refuse('TOKEN_NOT_YET_VALID', `nbf is more than ${policy.maxFutureSeconds} s ahead.`);
  }
  if (isPresented && typed.iat < at - policy.maxAgeSeconds) {
    return refuse('IAT_TOO_OLD', `iat is more than ${policy.maxAgeSeconds} s ago.`);
  }
  return undefined;
}

export function checkHashes({ typed, question }: Reading): Refusal | 'skipped' | undefined {
  const { inputHash, outputHash, input, output } = question;
  if ((inputHash ?? outputHash ?? input ?? output) === undefined) return 'skipped';
  if (!isBound(typed.inp_hash, inputHash, input)) {
    return refuse('INPUT_HASH_MISMATCH', 'The input is not the one that the token was issued for.');
  }
  if (!isBound(typed.out_hash, outputHash, output)) {
    return refuse('OUTPUT_HASH_MISMATCH', 'The output is not the one that the token was issued for.');
  }
  return undefined;
}

/** Whether a claim binds what came along: octets are compared under the hash of the claim, and come before a hash. */
function isBound(claim: string, hash: string | undefined, octets: Uint8Array | undefined): boolean {
  if (octets !== undefined) return isHashOf(claim, octets);
  return hash === undefined || hash === claim;
}
