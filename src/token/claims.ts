// The claims of an Execution Context Token. The names are those of draft-nennemann-wimse-ect-01, also for tokens of draft -00.

import type { PolicyClaims } from './policy-claims.ts';
import type { JsonObject } from './strict-json.ts';

/** The id of a token and of its task. Its format has been checked. */
export type Jti = string & { readonly brand: 'Jti' };

/** A valid claim set: types and formats have been checked. An absent optional text is an empty string, an absent object is undefined. */
export interface Claims {
  readonly iss: string;
  readonly aud: readonly string[];
  /** Seconds since the epoch, like `exp`. */
  readonly iat: number;
  readonly exp: number;
  /** The token is not valid before this second. This service issues no `nbf`. */
  readonly nbf?: number;
  readonly jti: Jti;
  readonly wid: string;
  readonly exec_act: string;
  readonly pred: readonly Jti[];
  /** SHA-256 in base64url. In draft -00 also `sha-384:` or `sha-512:` followed by that hash. */
  readonly inp_hash: string;
  readonly out_hash: string;
  /** `ect_ext`, or `ext` in draft -00, unchanged. */
  readonly ect_ext: JsonObject | undefined;
  /** The policy claims, from `ect_ext` or, in draft -00, from the top level. */
  readonly policy: PolicyClaims | undefined;
}

/** Claims with the right types. Their formats have not been checked. */
export type TypedClaims = {
  readonly [Name in keyof Claims]: Name extends 'jti' ? string : Name extends 'pred' ? readonly string[] : Claims[Name];
};
