// Receipts: evidence that an entry is in the ledger, verified offline with only the verifier key of the ledger.

import { openCheckpoint } from './checkpoint.ts';
import { commitmentIn, opensCommitment } from './entry.ts';
import { parseTlogProof, type TlogProof, writeTlogProof } from './tlog-proof.ts';
import { leafHash } from './tree.ts';
import { verifyInclusion } from './verify-proof.ts';

/** Everything that proves one entry under one checkpoint. */
export interface Receipt extends TlogProof {
  /** The exact leaf bytes. */
  readonly leaf: Uint8Array;
  /** Size of the tree that the checkpoint signs. */
  readonly treeSize: number;
  /** Index, hashes, checkpoint and salt again, as one C2SP tlog-proof text. It is written when it is read. */
  readonly tlogProof: string;
}

/** Assembles a receipt. It checks nothing. */
export function writeReceipt(leaf: Uint8Array, treeSize: number, proof: TlogProof): Receipt {
  return {
    ...proof,
    leaf,
    treeSize,
    get tlogProof() {
      return writeTlogProof(proof);
    },
  };
}

/** The input of a verification. Everything except `verifierKey` may come from an attacker. */
export interface ReceiptClaim {
  readonly leaf: Uint8Array;
  /** The text, or its parts (as in a `Receipt`). */
  readonly tlogProof: string | TlogProof;
  /** The key of the trusted ledger, obtained out of band. */
  readonly verifierKey: string;
  /** The claimed content. If given, the leaf must commit to exactly these bytes. */
  readonly content?: Uint8Array;
}

/** The index of the entry and the size of the tree; or a message with the fault. */
export type ReceiptVerdict =
  | { readonly ok: true; readonly index: number; readonly size: number }
  | { readonly ok: false; readonly fault: string };

/** Verifies a receipt: form, checkpoint, inclusion, and the content if it is given. Never throws. */
export function verifyReceipt(claim: ReceiptClaim): ReceiptVerdict {
  const proof = typeof claim.tlogProof === 'string' ? parseTlogProof(claim.tlogProof) : claim.tlogProof;
  if (proof === undefined) return fault('the receipt is not a tlog-proof');
  const head = openCheckpoint(proof.checkpoint, claim.verifierKey);
  if (!head.ok) return head;
  const { leafIndex: index, hashes } = proof;
  const { size, root } = head;
  if (!verifyInclusion({ leafHash: leafHash(claim.leaf), index, size, hashes, root })) {
    return fault('the proof does not lead from the leaf to the root of the checkpoint');
  }
  // From here on the leaf is authenticated. No signature covers the salt: opening the commitment is its check.
  if (claim.content !== undefined) {
    if (proof.salt === null) return fault('the receipt has no salt, so the content cannot be compared with the leaf');
    const commitment = commitmentIn(claim.leaf);
    if (commitment === undefined) return fault('the leaf has no commitment');
    if (!opensCommitment(commitment, proof.salt, claim.content)) return fault('the leaf commits to other content');
  }
  return { ok: true, index, size };
}

function fault(sentence: string): ReceiptVerdict {
  return { ok: false, fault: sentence };
}
