// Writes the payload of a token of this service: compact JSON, the claims in a fixed order, with the names of the draft.

import type { Claims } from './claims.ts';
import type { Draft } from './drafts.ts';
import { LIFTED } from './policy-claims.ts';
import type { JsonObject } from './strict-json.ts';

/**
 * Returns the payload as compact JSON. `extText` is the exact JSON of `claims.ect_ext`. It is copied unchanged, because a double cannot
 * represent every JSON number.
 */
export function writePayload(claims: Claims, extText: string | undefined, draft: Draft = '01'): string {
  const { iss, aud, iat, exp, jti, wid, exec_act, pred, inp_hash, out_hash } = claims;
  const isOlder = draft === '00';
  const text = JSON.stringify({
    iss,
    aud,
    iat,
    exp,
    jti,
    wid: orNothing(wid),
    exec_act,
    pred: isOlder ? undefined : pred,
    par: isOlder ? pred : undefined,
    inp_hash: orNothing(inp_hash && isOlder ? `sha-256:${inp_hash}` : inp_hash),
    out_hash: orNothing(out_hash && isOlder ? `sha-256:${out_hash}` : out_hash),
  });
  if (extText === undefined) return text;
  return `${text.slice(0, -1)}${isOlder ? writeLifted(extText) : `,"ect_ext":${extText}`}}`;
}

function orNothing(text: string): string | undefined {
  return text === '' ? undefined : text;
}

/**
 * Writes the extension for draft -00: its policy claims become claims of the top level. The numbers of the other members keep every
 * digit.
 */
function writeLifted(extText: string): string {
  const members = Object.entries(parseExactly(extText) as JsonObject);
  const isLifted = ([name]: readonly [string, unknown]) => LIFTED.includes(name);
  const policy = members.filter(isLifted).map(([name, value]) => `,"${name}":${JSON.stringify(value)}`);
  if (policy.length === 0) return `,"ext":${extText}`;
  const rest = members.filter((member) => !isLifted(member));
  const ext = rest.length === 0 ? '' : `,"ext":${JSON.stringify(Object.fromEntries(rest))}`;
  return `${ext}${policy.join('')}`;
}

/** Functions of `JSON` that the types of TypeScript do not yet declare: numbers with their source text. */
const exactJson = JSON as unknown as {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

function parseExactly(text: string): unknown {
  return exactJson.parse(text, (_, value, { source }) =>
    typeof value === 'number' ? exactJson.rawJSON(source) : value,
  );
}
