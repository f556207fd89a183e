// Checks heads before they are extended or used for proofs. The store is not trusted: its head must be signed by this ledger, and must
// not be older than what this process has seen.

import { EctError, reject } from '../errors.ts';
import { openCheckpoint } from './checkpoint.ts';
import { parseVerifierKey } from './ledger-key.ts';
import type { Head, LedgerStore } from './store.ts';
import { leafHash, perfectSubtrees, rootOf } from './tree.ts';

/** A head whose frontier has the root that its checkpoint signs. */
export interface TrustedHead extends Head {
  readonly root: Uint8Array;
}

/** The store is damaged. Nothing was signed. */
export function corrupt(sentence: string, options?: ErrorOptions): EctError {
  return new EctError(reject('LEDGER_CORRUPT', sentence), options);
}

/**
 * Checks a head from the store. `seen` is the newest head known before the read: a smaller tree, or another one of the same size, means
 * that the store was rolled back or forked. Throws LEDGER_CORRUPT.
 */
export function trustHead(head: Head, verifierKey: string, seen?: TrustedHead): TrustedHead {
  // The common case, without a hash or a signature: the head is unchanged.
  if (seen !== undefined && isSameHead(head, seen)) return seen;
  const root = rootOf(head.frontier);
  if (head.frontier.length !== perfectSubtrees(0, head.size).length) {
    throw corrupt('The frontier in the store does not fit the size of the tree.');
  }
  const signed = openCheckpoint(head.checkpoint, verifierKey);
  if (!signed.ok) throw corrupt(`The head in the store cannot be trusted: ${signed.fault}.`);
  if (signed.size !== head.size || !isSame(signed.root, root)) {
    throw corrupt('The frontier in the store does not lead to the root that the checkpoint signs.');
  }
  if (seen !== undefined && head.size < seen.size) {
    throw corrupt(`The store went back from ${seen.size} entries to ${head.size}.`);
  }
  // The signature does not cover the time: it is compared with the seen one, so that the next entry is not dated back.
  if (seen !== undefined && head.recordedAtMs < seen.recordedAtMs) throw corrupt('The time in the head went back.');
  if (seen !== undefined && head.size === seen.size && !isSame(root, seen.root)) {
    throw corrupt(`The store holds another tree of ${head.size} entries than before.`);
  }
  return { ...head, root };
}

/**
 * Checks that the stored data around the head belongs to it: the identity, the nodes that the frontier repeats, and the newest entry.
 * Done once, when the ledger is opened; `auditLedger` checks the rest.
 */
export async function checkStored(store: LedgerStore, head: TrustedHead, verifierKey: string): Promise<void> {
  const identity = await store.identity();
  if (identity !== verifierKey) {
    throw corrupt(
      isForeign(identity)
        ? 'The store belongs to the ledger of another key.'
        : 'The stored identity of the ledger is damaged.',
    );
  }
  const nodes = await store.nodes(perfectSubtrees(0, head.size));
  if (!nodes.every((node, position) => isSame(node, head.frontier[position]))) {
    throw corrupt('The frontier in the store is not what the stored nodes say.');
  }
  // Another process may have committed since the head was read: only an unchanged head can be contradicted by an entry.
  if ((await store.at(head.size)) !== undefined && (await store.head())?.size === head.size) {
    throw corrupt('The store holds an entry beyond its head.');
  }
  if (head.size === 0) return;
  const newest = await store.at(head.size - 1);
  const [newestHash] = await store.nodes([{ level: 0, index: head.size - 1 }]);
  const isSealed = newest?.index === head.size - 1 && newest.recordedAtMs === head.recordedAtMs;
  if (!isSealed || !isSame(leafHash(newest.leaf), newestHash)) {
    throw corrupt('The newest entry in the store is not the one that the head names.');
  }
}

/** Whether the identity in a store is a valid verifier key; otherwise the store is damaged. */
export function isForeign(identity: string | undefined): boolean {
  return identity !== undefined && parseVerifierKey(identity) !== undefined;
}

/** Why the head of a store, and the data around it, cannot be that of the ledger of this key; undefined if they can. */
export async function headFault(store: LedgerStore, verifierKey: string): Promise<string | undefined> {
  try {
    const head = await store.head();
    if (head === undefined) return 'The head is gone from the store.';
    await checkStored(store, trustHead(head, verifierKey), verifierKey);
    return undefined;
  } catch (error) {
    if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') return error.message;
    throw error;
  }
}

function isSameHead(a: Head, b: Head): boolean {
  return (
    a.size === b.size &&
    a.recordedAtMs === b.recordedAtMs &&
    a.checkpoint === b.checkpoint &&
    a.frontier.length === b.frontier.length &&
    a.frontier.every((hash, position) => isSame(hash, b.frontier[position]))
  );
}

/** Whether both are the same bytes; false if one is missing. */
export function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
