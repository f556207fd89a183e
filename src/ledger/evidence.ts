// Reads proofs from the store, each with one read. Every proof is verified before it is returned: damage of the store is rejected
// here, and never becomes evidence.

import { EctError, reject } from '../errors.ts';
import { commitmentIn, opensCommitment, opensSalt } from './entry.ts';
import { corrupt, isSame, type TrustedHead } from './head.ts';
import { planConsistency, planEach, planInclusion, planRanges } from './proof.ts';
import { type Receipt, writeReceipt } from './receipt.ts';
import type { LedgerRecord, LedgerStore } from './store.ts';
import { leafHash } from './tree.ts';
import { verifyConsistency, verifyInclusion } from './verify-proof.ts';

/** Shows that a leaf is in the tree of one size. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  /** From the sibling of the leaf up to the child of the root. */
  readonly hashes: readonly Uint8Array[];
  readonly leafHash: Uint8Array;
  readonly root: Uint8Array;
}

/** Shows that the tree of one size is a prefix of the tree of another. */
export interface ConsistencyProof {
  readonly first: number;
  readonly second: number;
  readonly hashes: readonly Uint8Array[];
}

/** Receipts of recorded entries under the head. LEDGER_CORRUPT if a record does not match the tree. */
export async function readReceipts(
  store: LedgerStore,
  head: TrustedHead,
  records: readonly LedgerRecord[],
): Promise<readonly Receipt[]> {
  const { size, root, checkpoint } = head;
  if (records.some(({ index }) => index >= size)) throw corrupt('The store holds an entry beyond its head.');
  const plan = planEach(records.map(({ index }) => planInclusion(index, size)));
  const paths = plan.assemble(await store.nodes(plan.wanted));
  const receipts: Receipt[] = [];
  for (const [position, record] of records.entries()) {
    const { index, leaf, salt } = record;
    const hashes = paths[position] ?? [];
    const isIn = verifyInclusion({ leafHash: leafHash(leaf), index, size, hashes, root });
    if (!isIn || !isIntact(record)) throw await faultOf(store, record);
    receipts.push(writeReceipt(leaf, size, { leafIndex: index, hashes, checkpoint, salt }));
  }
  return receipts;
}

/** An entry that matches the tree is not blamed for damaged nodes of others in its proof. */
async function faultOf(store: LedgerStore, record: LedgerRecord): Promise<Error> {
  const { index, leaf } = record;
  const [hash] = await store.nodes([{ level: 0, index }]);
  const isSound = isSame(hash, leafHash(leaf)) && isIntact(record);
  return corrupt(
    isSound
      ? `The stored nodes of other entries do not prove entry ${index}.`
      : `Entry ${index} is not what the tree committed to.`,
  );
}

/** Whether content, salt and provenance, if stored, match the commitment in the leaf. */
function isIntact({ leaf, salt, content, provenance }: LedgerRecord): boolean {
  if (salt !== null && provenance !== null && !opensSalt(salt, provenance)) return false;
  const commitment = commitmentIn(leaf);
  if (commitment === undefined || salt === null || content === null) return true;
  return opensCommitment(commitment, salt, content);
}

/** Proves an entry in the tree of `size`. INDEX_OUT_OF_RANGE or TREE_SIZE_INVALID if they do not exist. */
export async function readInclusion(
  store: LedgerStore,
  head: TrustedHead,
  index: number,
  size: number,
): Promise<InclusionProof> {
  if (!isWithin(index, 0, head.size - 1)) throw indexOutOfRange(index, head.size);
  if (!isWithin(size, 1, head.size)) throw sizeInvalid(size, head.size);
  if (size <= index)
    throw sizeFault(size, `A tree of size ${size} has no entry ${index}: its last index is ${size - 1}.`);
  const path = planInclusion(index, size);
  const ends = planRanges([
    [index, index + 1],
    [0, size],
  ]);
  const plan = planEach([path, ends]);
  const [hashes = [], [leaf, root] = []] = plan.assemble(await store.nodes(plan.wanted));
  const isRoot = size < head.size || isSame(root, head.root);
  if (!leaf || !root || !isRoot || !verifyInclusion({ leafHash: leaf, index, size, hashes, root })) {
    throw corrupt(`The stored nodes do not prove entry ${index}.`);
  }
  return { index, size, hashes, leafHash: leaf, root };
}

/** Proves the consistency of two tree sizes. TREE_SIZE_INVALID unless `1 <= first <= second <= head.size`. */
export async function readConsistency(
  store: LedgerStore,
  head: TrustedHead,
  first: number,
  second: number,
): Promise<ConsistencyProof> {
  if (!isWithin(second, 1, head.size)) throw sizeInvalid(second, head.size, 'second tree size');
  if (!isWithin(first, 1, head.size)) throw sizeInvalid(first, head.size, 'first tree size');
  if (first > second) throw sizeFault(first, `The first tree size, ${first}, is greater than the second, ${second}.`);
  const path = planConsistency(first, second);
  const roots = planRanges([
    [0, first],
    [0, second],
  ]);
  const plan = planEach([path, roots]);
  const [hashes = [], [firstRoot, secondRoot] = []] = plan.assemble(await store.nodes(plan.wanted));
  const isRoot = second < head.size || isSame(secondRoot, head.root);
  const claim = { firstSize: first, secondSize: second, hashes };
  if (!firstRoot || !secondRoot || !isRoot || !verifyConsistency({ ...claim, firstRoot, secondRoot })) {
    throw corrupt(`The stored nodes do not prove the tree of ${first} entries in that of ${second}.`);
  }
  return { first, second, hashes };
}

/** The rejection of an index beyond a tree of so many entries. */
export function indexOutOfRange(index: number | bigint, size: number): EctError {
  const entries = `${size} ${size === 1 ? 'entry, index 0' : `entries, indexes 0 to ${size - 1}`}`;
  const facts = { index: String(index), entries: String(size) };
  return new EctError(
    reject(
      'INDEX_OUT_OF_RANGE',
      `The ledger has no entry ${index}: it has ${size === 0 ? 'no entry yet' : entries}.`,
      facts,
    ),
  );
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function sizeInvalid(size: number, most: number, name = 'tree size'): EctError {
  return sizeFault(
    size,
    most === 0 ? 'The ledger has no entry yet.' : `The ${name} must be from 1 to ${most}, and is ${size}.`,
  );
}

function sizeFault(size: number, message: string): EctError {
  return new EctError(reject('TREE_SIZE_INVALID', message, { tree_size: String(size) }));
}
