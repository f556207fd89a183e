// What becomes of files that were read again. Pure: files that cannot be used never replace those in force, and the same
// fault is news once.

/** Where a group stands. */
export interface Standing {
  /** The digest of the files in force. */
  readonly inForce: string;
  /** What was refused last, if that is still what the disk holds. */
  readonly refused: Refusal | undefined;
}

interface Refusal {
  readonly digest: string;
  readonly why: string;
}

/** What reading a group again gave. */
export type Seen<Value> =
  | { readonly digest: string; readonly value: Value }
  | { readonly digest: string; readonly why: string };

export type Judgement<Value> =
  | { readonly kind: 'unchanged' }
  /** What was refused has been replaced by the files in force. */
  | { readonly kind: 'restored' }
  | { readonly kind: 'replaced'; readonly value: Value }
  /** `isNews`: it has not been said before. */
  | { readonly kind: 'refused'; readonly why: string; readonly isNews: boolean };

export function judge<Value>({ inForce, refused }: Standing, seen: Seen<Value>): Judgement<Value> {
  if (seen.digest === inForce) return { kind: refused === undefined ? 'unchanged' : 'restored' };
  if ('value' in seen) return { kind: 'replaced', value: seen.value };
  const isNews = refused?.digest !== seen.digest || refused.why !== seen.why;
  return { kind: 'refused', why: seen.why, isNews };
}

/** Where the group stands after that judgement. */
export function standingAfter<Value>(standing: Standing, seen: Seen<Value>, judgement: Judgement<Value>): Standing {
  switch (judgement.kind) {
    case 'replaced':
      return { inForce: seen.digest, refused: undefined };
    case 'refused':
      return { ...standing, refused: { digest: seen.digest, why: judgement.why } };
    default:
      return { ...standing, refused: undefined };
  }
}
