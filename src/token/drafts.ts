// The two editions of the draft, and the names that differ between them. The rest of the code uses the names of -01 only.

import { type Rejection, reject } from '../errors.ts';
import type { JsonObject } from './strict-json.ts';

/** `01`: draft-nennemann-wimse-ect-01. `00`: draft-nennemann-wimse-execution-context-00 and -ect-00. */
export type Draft = '00' | '01';

/** The `typ` of the tokens of each draft. A token of -01 may also have the older `typ`. */
export const TYPES = { '00': 'wimse-exec+jwt', '01': 'exec+jwt' } as const satisfies Record<Draft, string>;

/** The claims of predecessors and of the extension object in each draft. */
export const NAMES = {
  '00': { pred: 'par', ext: 'ext' },
  '01': { pred: 'pred', ext: 'ect_ext' },
} as const satisfies Record<Draft, { readonly pred: string; readonly ext: string }>;

/** The policy claims. They are members of `ect_ext` in -01, and claims of the top level in -00. */
export const POLICY_CLAIMS = [
  'pol',
  'pol_decision',
  'pol_enforcer',
  'pol_timestamp',
  'compensation_required',
  'compensation_reason',
] as const;

const ONLY_IN_00: readonly string[] = [NAMES['00'].pred, NAMES['00'].ext, ...POLICY_CLAIMS];
const ONLY_IN_01: readonly string[] = [NAMES['01'].pred, NAMES['01'].ext];

/**
 * Determines the draft of a payload from the names of its claims. Rejects with CLAIM_INVALID, and names the misplaced claim, if the
 * payload has names of both drafts, names of -00 under the `typ` of -01, or names of a draft that is not accepted. `type` is the `typ` of
 * the header; undefined for an unsigned object, which exists in -01 only.
 */
export function draftOf(
  payload: JsonObject,
  type: string | undefined,
  drafts: readonly Draft[],
): Draft | Rejection<'CLAIM_INVALID'> {
  const newer = firstOf(ONLY_IN_01, payload);
  if (hasOlderNames(payload)) {
    const older = firstOf(ONLY_IN_00, payload)!;
    if (newer !== undefined) return misplaced(older, `belongs to draft -00, and ${newer} to draft -01`);
    if (type !== TYPES['00']) return misplaced(older, 'belongs to draft -00, and the token is one of draft -01');
    return drafts.includes('00') ? '00' : misplaced(older, 'belongs to draft -00, which is not accepted here');
  }
  if (drafts.includes('01')) return '01';
  return newer === undefined ? '00' : misplaced(newer, 'belongs to draft -01, which is not accepted here');
}

/**
 * Whether a member of ONLY_IN_00 is present, also with the value null. It is written out because a loop takes three times as long, and
 * every token is checked.
 */
function hasOlderNames(payload: JsonObject): boolean {
  return payload['par'] !== undefined || payload['ext'] !== undefined || hasPolicy(payload);
}

/** Whether `members` has at least one of POLICY_CLAIMS. */
export function hasPolicy(members: JsonObject): boolean {
  return (
    members['pol'] !== undefined ||
    members['pol_decision'] !== undefined ||
    members['pol_enforcer'] !== undefined ||
    members['pol_timestamp'] !== undefined ||
    members['compensation_required'] !== undefined ||
    members['compensation_reason'] !== undefined
  );
}

function firstOf(names: readonly string[], payload: JsonObject): string | undefined {
  for (const name of names) if (payload[name] !== undefined) return name;
  return undefined;
}

function misplaced(claim: string, rule: string): Rejection<'CLAIM_INVALID'> {
  return reject('CLAIM_INVALID', `${claim} ${rule}.`, { claim });
}
