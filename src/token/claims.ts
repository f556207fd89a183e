// The claims of an Execution Context Token, in the names of draft-nennemann-wimse-ect-01 whatever draft it is written in.

import type { PolicyClaims } from './policy-claims.ts';
import type { JsonObject } from './strict-json.ts';

/** Token id and task id, checked. */
export type Jti = string & { readonly brand: 'Jti' };

/** A claim set that keeps every rule. Absent optional claims are empty strings, absent objects are undefined. */
export interface Claims {
  readonly iss: string;
  readonly aud: readonly string[];
  /** Seconds since the epoch, as `exp`. */
  readonly iat: number;
  readonly exp: number;
  /** Not valid before this second. Tokens of ours have none. */
  readonly nbf?: number;
  readonly jti: Jti;
  readonly wid: string;
  readonly exec_act: string;
  readonly pred: readonly Jti[];
  /** base64url SHA-256; in -00 also `sha-384:` or `sha-512:` and that hash. */
  readonly inp_hash: string;
  readonly out_hash: string;
  /** `ect_ext`, or `ext` of -00, as it stands. */
  readonly ect_ext: JsonObject | undefined;
  /** The policy claims, wherever they stand. */
  readonly policy: PolicyClaims | undefined;
}

/** Claims that have the right types; their formats are not checked yet. */
export type TypedClaims = {
  readonly [Name in keyof Claims]: Name extends 'jti' ? string : Name extends 'pred' ? readonly string[] : Claims[Name];
};
