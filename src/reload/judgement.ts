// Decides what to do with files that were read again. Pure functions. Invalid files never replace the current ones, and the same fault is
// reported once.

/** The state of a group. */
export interface Standing {
  /** The digest of the current files. */
  readonly inForce: string;
  /** The last rejected contents, if they are still on the disk. */
  readonly rejected: Rejection | undefined;
}

interface Rejection {
  readonly digest: string;
  readonly why: string;
}

/** The result of reading a group again. */
export type Seen<Value> =
  | { readonly digest: string; readonly value: Value }
  | { readonly digest: string; readonly why: string };

export type Judgement<Value> =
  | { readonly kind: 'unchanged' }
  /** The rejected files have been replaced with the current ones. */
  | { readonly kind: 'restored' }
  | { readonly kind: 'replaced'; readonly value: Value }
  /** `isNews`: it has not been reported before. */
  | { readonly kind: 'refused'; readonly why: string; readonly isNews: boolean };

export function judge<Value>({ inForce, rejected }: Standing, seen: Seen<Value>): Judgement<Value> {
  if (seen.digest === inForce) return { kind: rejected === undefined ? 'unchanged' : 'restored' };
  if ('value' in seen) return { kind: 'replaced', value: seen.value };
  const isNews = rejected?.digest !== seen.digest || rejected.why !== seen.why;
  return { kind: 'refused', why: seen.why, isNews };
}

/** Returns the state of the group after that judgement. */
export function standingAfter<Value>(standing: Standing, seen: Seen<Value>, judgement: Judgement<Value>): Standing {
  switch (judgement.kind) {
    case 'replaced':
      return { inForce: seen.digest, rejected: undefined };
    case 'refused':
      return { ...standing, rejected: { digest: seen.digest, why: judgement.why } };
    default:
      return { ...standing, rejected: undefined };
  }
}
