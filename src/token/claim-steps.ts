// The verification steps on the claims of a token, under the same terms as those on its envelope.

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

/** In a report another `typ` may have been rejected before: the names tell the draft then, as under the older one. */
function typeOf(parts: VerificationState['parts'] | undefined): string | undefined {
  if (parts === undefined) return undefined;
  return parts.header['typ'] === TYPES['01'] ? TYPES['01'] : TYPES['00'];
}

export function checkClaimFormats(state: VerificationState): Rejection | undefined {
  const { typed, draft, policy, content, parts, key } = state;
  const rejection = checkFormats(typed, policy, draft);
  if (rejection !== undefined || !state.sound) return rejection;
  // From here on the claims can be trusted as far as the key: every step so far has held.
  const kid = parts === undefined ? undefined : key.kid;
  state.token = new CheckedToken(typed as Claims, draft, kid, content.signingInput);
  return undefined;
}

export function checkIssuer({ key, typed, policy }: VerificationState): Rejection | undefined {
  if (!key.speaksFor(typed.iss)) return reject('ISSUER_MISMATCH', 'The key that signed does not speak for iss.');
  // With the limit on the age of `iat`, a key that leaks after its end is soon of no use.
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
  // A record is not from the future either: what was signed for later is no evidence of a task that was done by then.
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

/** What another moment of evidence would fix, and no clock. */
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

/** Whether a claim binds what came along: octets are compared under the hash of the claim, and come before a hash. */
function isBound(claim: string, hash: string | undefined, octets: Uint8Array | undefined): boolean {
  if (octets !== undefined) return isHashOf(claim, octets);
  return hash === undefined || hash === claim;
}
