// The verification steps on the claims of a token. They follow the same rules as those in envelope-steps.ts.

import { type Rejection, reject } from '../errors.ts';
import { checkFormats } from './claim-formats.ts';
import type { Claims } from './claims.ts';
import { TYPES } from './drafts.ts';
import { isHashOf } from './hash.ts';
import { isRejection, readClaims } from './read-claims.ts';
import { CheckedToken, type VerificationState } from './verification-state.ts';

export function checkClaims(state: VerificationState): Rejection | undefined {
  const { parts, content, policy } = state;
  const read = readClaims(content.payload, content.oddNumbers, typeOf(parts), policy.drafts);
  if (isRejection(read)) return read;
  state.draft = read.draft;
  state.typed = read.claims;
  return undefined;
}

/**
 * The `typ` that decides the draft. A report continues after `typ` was rejected; then the names of the claims decide, as for tokens with
 * the older `typ`.
 */
function typeOf(parts: VerificationState['parts'] | undefined): string | undefined {
  if (parts === undefined) return undefined;
  return parts.header['typ'] === TYPES['01'] ? TYPES['01'] : TYPES['00'];
}

export function checkClaimFormats(state: VerificationState): Rejection | undefined {
  const { typed, draft, policy, content, parts, key } = state;
  const rejection = checkFormats(typed, policy, draft);
  if (rejection !== undefined || !state.sound) return rejection;
  // Every step so far has succeeded: from here on the claims are as trustworthy as the key.
  const kid = parts === undefined ? undefined : key.kid;
  state.token = new CheckedToken(typed as Claims, draft, kid, content.signingInput);
  return undefined;
}

export function checkIssuer({ key, typed, policy }: VerificationState): Rejection | undefined {
  if (!key.speaksFor(typed.iss)) return reject('ISSUER_MISMATCH', 'The key that signed does not speak for iss.');
  // Together with the maximum age of `iat`, this makes a key useless soon after its end, also if it leaks later.
  const until = key.signsUntil;
  return until === undefined || typed.iat <= until + policy.maxFutureSeconds
    ? undefined
    : reject('KEY_EXPIRED', 'The key had ended when the token was issued.');
}

export function checkAudience({ typed, options }: VerificationState): Rejection | 'skipped' | undefined {
  if (options.audience === undefined) return 'skipped';
  return typed.aud.includes(options.audience)
    ? undefined
    : reject('AUDIENCE_MISMATCH', 'aud does not name the verifier.');
}

export function checkTimes({ typed, options, policy }: VerificationState): Rejection | undefined {
  const { asOf } = options;
  const at = asOf ?? options.now;
  const isPresented = options.purpose === 'presented';
  if (isPresented && typed.exp <= at) {
    return asOf === undefined
      ? reject('TOKEN_EXPIRED', 'The token has expired.')
      : ofThatMoment(reject('TOKEN_EXPIRED', 'The token had expired at as_of.'), 'before its exp');
  }
  if (typed.iat > at + policy.maxFutureSeconds) {
    return asOf === undefined
      ? reject('IAT_IN_FUTURE', `iat is more than ${policy.maxFutureSeconds} s ahead.`)
      : ofThatMoment(
          reject('IAT_IN_FUTURE', `The token was issued ${typed.iat - asOf} s after as_of.`),
          'from its iat on',
        );
  }
  // A recorded token must not come from the future either: a token that was not yet valid at that time proves no task of that time.
  if (typed.nbf !== undefined && typed.nbf > at + policy.maxFutureSeconds) {
    return asOf === undefined
      ? reject('TOKEN_NOT_YET_VALID', `nbf is more than ${policy.maxFutureSeconds} s ahead.`)
      : ofThatMoment(reject('TOKEN_NOT_YET_VALID', `nbf is ${typed.nbf - asOf} s after as_of.`), 'from its nbf on');
  }
  if (isPresented && typed.iat < at - policy.maxAgeSeconds) {
    return asOf === undefined
      ? reject('IAT_TOO_OLD', `iat is more than ${policy.maxAgeSeconds} s ago.`)
      : ofThatMoment(
          reject('IAT_TOO_OLD', `iat is more than ${policy.maxAgeSeconds} s before as_of.`),
          `within ${policy.maxAgeSeconds} s of its iat`,
        );
  }
  return undefined;
}

/** Evidence is judged at a past time, so the remedy is another `as_of`, not a corrected clock. */
function ofThatMoment(rejection: Rejection, when: string): Rejection {
  return {
    ...rejection,
    remedy: `Verify the token as of a moment ${when}; where it is recorded, as of one from its entry on.`,
  };
}

export function checkHashes({ typed, options }: VerificationState): Rejection | 'skipped' | undefined {
  const { inputHash, outputHash, input, output } = options;
  if ((inputHash ?? outputHash ?? input ?? output) === undefined) return 'skipped';
  if (!isBound(typed.inp_hash, inputHash, input)) {
    if (typed.inp_hash === '') return unbound('INPUT_HASH_MISMATCH', 'inp_hash', 'input');
    return reject('INPUT_HASH_MISMATCH', 'The input is not the one that the token was issued for.');
  }
  if (!isBound(typed.out_hash, outputHash, output)) {
    if (typed.out_hash === '') return unbound('OUTPUT_HASH_MISMATCH', 'out_hash', 'output');
    return reject('OUTPUT_HASH_MISMATCH', 'The output is not the one that the token was issued for.');
  }
  return undefined;
}

function unbound(reason: 'INPUT_HASH_MISMATCH' | 'OUTPUT_HASH_MISMATCH', claim: string, what: string): Rejection {
  const remedy = `Verify without the ${what}, or ask the issuer for a token that binds it.`;
  return { ...reject(reason, `The token has no ${claim}: it binds no ${what}.`), remedy };
}

/**
 * Whether a claim equals the hash of the presented content. If octets are given they are hashed, with the hash function that the claim
 * names, and `hash` is ignored.
 */
function isBound(claim: string, hash: string | undefined, octets: Uint8Array | undefined): boolean {
  if (octets !== undefined) return isHashOf(claim, octets);
  return hash === undefined || hash === claim;
}
