// Accepted losses: entries of the ledger that state that entries of a published checkpoint are missing. The operator accepts a loss after
// a start was rejected, and the ledger continues with the remaining entries. An audit shows where, and what was lost.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Candidate, ShownCheckpoint } from '../ledger/index.ts';

/** No `wid` contains such a character, whichever ids the service accepts. */
export const LOSS_SCOPE = '†loss';

/** The author of a loss: someone with access to the data directory. */
const OPERATOR = 'operator';

/** The leaf of an accepted loss. The remaining entries are those before it. */
export interface LossLeaf {
  readonly v: 1;
  readonly type: 'loss';
  /** Of the newest published checkpoint: the number of entries, and the root hash in base64. */
  readonly size: number;
  readonly root: string;
  readonly iss: string;
  /** Milliseconds since the epoch. */
  readonly recorded_at: number;
  readonly commitment: string;
}

/** The candidate for a loss. Its content is the statement: the signed checkpoint that cannot be continued, and a note. */
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

/** The unique name of a loss. */
export function nameOfLoss({ size, root }: Pick<LossLeaf, 'size' | 'root'>): string {
  return `${size} ${root}`;
}
