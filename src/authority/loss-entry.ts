// Accepted losses: entries of the ledger that say that it does not hold everything that was shown of it. The operator states
// it, once a start was rejected, and the ledger goes on with what is left. An audit shows where, and what was lost.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Candidate, ShownCheckpoint } from '../ledger/index.ts';

/** No `wid` has such a character, whichever ids the service accepts. */
export const LOSS_SCOPE = '†loss';

/** Who states a loss: somebody with the rights to the data directory. */
const OPERATOR = 'operator';

/** The leaf of an accepted loss. The entries that are left are those before it. */
export interface LossLeaf {
  readonly v: 1;
  readonly type: 'loss';
  /** Of the newest checkpoint that was shown: how many entries there had been, and their root in base64. */
  readonly size: number;
  readonly root: string;
  readonly iss: string;
  /** Milliseconds since the epoch. */
  readonly recorded_at: number;
  readonly commitment: string;
}

/** A loss as the ledger takes it. Its content is the statement: the signed checkpoint that cannot be kept, and a note. */
export function asLossCandidate({ checkpoint, size, root }: ShownCheckpoint, note: string): Candidate {
  const content = Buffer.from(canonicalize({ by: OPERATOR, checkpoint, note }) as string, 'utf8');
  const shown = { size, root: Buffer.from(root).toString('base64') };
  return {
    scope: LOSS_SCOPE,
    name: nameOfLoss(shown),
    author: OPERATOR,
    digest: createHash('sha256').update(content).digest(),
    content,
    leaf: ({ recordedAtMs, commitment }) => {
      const leaf: LossLeaf = { v: 1, type: 'loss', ...shown, iss: OPERATOR, recorded_at: recordedAtMs, commitment };
      return Buffer.from(canonicalize(leaf) as string, 'utf8');
    },
  };
}

/** The name under which a loss is recorded: each is once. */
export function nameOfLoss({ size, root }: Pick<LossLeaf, 'size' | 'root'>): string {
  return `${size} ${root}`;
}
