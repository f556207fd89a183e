// What becomes of files that were read again. Pure: files that cannot be used never replace those in force, and the same
// fault is news once.

/** Where a group stands. */
export interface Standing {
  /** The digest of the files in force. */
  readonly inForce: string;
  /** What was rejected last, if that is still what the disk holds. */
  readonly rejected: Rejection | undefined;
}

interface Rejection {
  readonly digest: string;
  readonly why: string;
}

/** What reading a group again gave. */
export type Seen<Value> =
  | { readonly digest: string; readonly value: Value }
  | { readonly digest: string; readonly why: string };

export type Judgement<Value> =
  | { readonly kind: 'unchanged' }
  /** What was rejected has been replaced by the files in force. */
  | { readonly kind: 'restored' }
  | { readonly kind: 'replaced'; readonly value: Value }
  /** `isNews`: it has not been said before. */
  | { readonly kind: 'refused'; readonly why: string; readonly isNews: boolean };

export function judge<Value>({ inForce, rejected }: Standing, seen: Seen<Value>): Judgement<Value> {
  if (seen.digest === inForce) return { kind: rejected === undefined ? 'unchanged' : 'restored' };
  if ('value' in seen) return { kind: 'replaced', value: seen.value };
  const isNews = rejected?.digest !== seen.digest || rejected.why !== seen.why;
  return { kind: 'refused', why: seen.why, isNews };
}

/** Where the group stands after that judgement. */
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
