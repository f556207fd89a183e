// Audits a ledger: reads every leaf, computes the root, and reports every fault. It trusts only the verifier key, and needs constant
// memory. It can continue from the end of an earlier audit.

import { createHash } from 'node:crypto';
import { openCheckpoint } from './checkpoint.ts';
import { commitmentIn, opensCommitment, opensSalt } from './entry.ts';
import { isSame } from './head.ts';
import type { LedgerRecord } from './store.ts';
import { growTree, leafHash, rootOf, type TreeState } from './tree.ts';

const MAX_FAULTS = 100;

/** A fault of an entry or (index null) of the ledger as a whole. */
export interface AuditFault {
  readonly index: number | null;
  readonly fault: string;
}

export interface AuditRequest {
  /** Every record, in the order of the index. Records without content are checked without it. */
  readonly records: AsyncIterable<LedgerRecord> | Iterable<LedgerRecord>;
  /** The signed note that the records are compared with. */
  readonly checkpoint: string;
  /** The trusted key, obtained out of band. */
  readonly verifierKey: string;
  /** Older checkpoints: the ledger must still contain each of them. */
  readonly earlier?: readonly string[];
  /** The newest checkpoint that the ledger stored apart from the records; see HighWaterMark. */
  readonly highWater?: string;
  /** The end of an earlier audit: `records` start there. Default: the first entry. */
  readonly from?: AuditEnd;
  /** Whether no earlier entry has this scope and name. Default: a set in memory, which knows the entries of this audit only. */
  readonly addName?: (record: LedgerRecord) => boolean;
  /** Checks that only the writer of the leaves can do; returns a message for a fault. */
  readonly checkRecord?: (record: LedgerRecord) => string | undefined;
  /** Called after every record with the number of records; `size` is that of the checkpoint, undefined if it is invalid. */
  readonly onProgress?: (read: number, size: number | undefined) => void;
}

/** The end of an audit. */
export interface AuditEnd extends TreeState {
  /** The latest time of an entry. */
  readonly recordedAtMs: number;
}

export interface AuditReport {
  readonly ok: boolean;
  /** The number of entries up to the last record. */
  readonly size: number;
  /** Where a later audit can continue if this one found no fault. */
  readonly end: AuditEnd;
  /** The root over their leaves. */
  readonly root: Uint8Array;
  /** The first faults, at most 100. */
  readonly faults: readonly AuditFault[];
  /** The number of all faults. */
  readonly faultCount: number;
}

/** Audits a ledger. Throws only what the source of the records throws. */
export async function auditLedger(request: AuditRequest): Promise<AuditReport> {
  const faults = new FaultList();
  const milestones = openMilestones(request, faults);
  const target = milestones.find(({ kind }) => kind === 'current')?.size;
  const check = recordChecks(request);
  let tree: TreeState = request.from ?? { size: 0, frontier: [] };
  const { size: start } = tree;
  for (const { kind, size } of milestones) {
    // A mark older than the start of this audit shows nothing.
    if (size >= start || kind === 'high-water') continue;
    faults.add(
      null,
      kind === 'current'
        ? `an earlier audit read ${start} entries, but the current checkpoint signs only ${size}`
        : `the earlier checkpoint signs ${size} entries, but this audit goes on from ${start}: audit from the first entry`,
    );
  }
  const compare = () => {
    for (const { kind, size, root } of milestones) {
      if (size === tree.size && !isSame(root, rootOf(tree.frontier))) {
        faults.add(null, `the first ${size} leaves do not lead to the root that the ${kind} checkpoint signs`);
      }
    }
  };
  compare();
  for await (const record of request.records) {
    for (const fault of check.record(record, tree.size)) faults.add(record.index, fault);
    tree = growTree(tree, [leafHash(record.leaf)]);
    compare();
    request.onProgress?.(tree.size, target);
  }
  for (const { kind, size } of milestones) {
    if (tree.size < size)
      faults.add(null, `the ${kind} checkpoint signs ${size} entries, but only ${tree.size} are there`);
  }
  if (target !== undefined && tree.size > target && target >= start) {
    faults.add(null, `${tree.size} entries are there, but the current checkpoint signs only ${target}`);
  }
  const { list, count } = faults;
  const { size, frontier } = tree;
  const end = { size, frontier, recordedAtMs: check.lastMs() };
  return { ok: count === 0, size, end, root: rootOf(frontier), faults: list, faultCount: count };
}

class FaultList {
  readonly list: AuditFault[] = [];
  count = 0;

  add(index: number | null, fault: string): void {
    this.count += 1;
    if (this.list.length < MAX_FAULTS) this.list.push({ index, fault });
  }
}

interface Milestone {
  readonly kind: 'current' | 'earlier' | 'high-water';
  readonly size: number;
  readonly root: Uint8Array;
}

const MILESTONE_FAULTS: Readonly<Record<Milestone['kind'], string>> = {
  current: '',
  earlier: 'of an earlier one: ',
  'high-water': 'of the high-water mark: ',
};

function openMilestones(request: AuditRequest, faults: FaultList): readonly Milestone[] {
  const { checkpoint, earlier = [], highWater, verifierKey } = request;
  const all: readonly { readonly kind: Milestone['kind']; readonly note: string }[] = [
    { kind: 'current', note: checkpoint },
    ...earlier.map((note) => ({ kind: 'earlier' as const, note })),
    ...(highWater === undefined ? [] : [{ kind: 'high-water' as const, note: highWater }]),
  ];
  return all.flatMap(({ kind, note }) => {
    const opened = openCheckpoint(note, verifierKey);
    if (opened.ok) return [{ kind, size: opened.size, root: opened.root }];
    faults.add(null, `${MILESTONE_FAULTS[kind]}${opened.fault}`);
    return [];
  });
}

/** Checks one record after another. Keeps the last time, and the names, hashed to 16 bytes each. */
function recordChecks({ checkRecord, from, addName }: AuditRequest) {
  const names = new NameSet();
  const isNew = addName ?? ((record: LedgerRecord) => names.add(record));
  let lastMs = from?.recordedAtMs ?? 0;
  const check = (record: LedgerRecord, position: number): readonly string[] => {
    const found: (string | undefined)[] = [
      record.index === position ? undefined : `entry ${position} was expected here`,
      record.recordedAtMs < lastMs ? 'it is recorded earlier than the entry before' : undefined,
      isNew(record) ? undefined : 'its scope and name are taken by an earlier entry',
      contentFault(record),
      checkRecord?.(record),
    ];
    lastMs = Math.max(lastMs, record.recordedAtMs);
    return found.filter((fault) => fault !== undefined);
  };
  return { record: check, lastMs: () => lastMs };
}

/** The fault in the content of an entry, compared with the commitment in its leaf. Content, salt and provenance are erased together. */
export function contentFault({ leaf, salt, content, provenance }: LedgerRecord): string | undefined {
  if (content === null && salt !== null) return 'its salt is kept without the content';
  if (content !== null) {
    if (salt === null) return 'its content is kept without the salt';
    const commitment = commitmentIn(leaf);
    if (commitment === undefined) return 'its leaf has no commitment';
    if (!opensCommitment(commitment, salt, content)) return 'its content is not what the leaf commits to';
  }
  if (provenance === null) return undefined;
  // The provenance yields the salt, with which the content could be guessed.
  if (salt === null) return 'its provenance is kept without the salt';
  return opensSalt(salt, provenance) ? undefined : 'its provenance is not what the salt commits to';
}

/** A set of names for a ledger of any size: a JavaScript Set is limited to 16.7 million members. */
class NameSet {
  readonly #parts = new Map<number, Set<string>>();

  /** False if it contained the name. */
  add({ scope, name }: LedgerRecord): boolean {
    const digest = createHash('sha256')
      .update(JSON.stringify([scope, name]))
      .digest();
    const key = digest.toString('latin1', 1, 17);
    const part = this.#parts.get(digest[0] as number) ?? new Set();
    this.#parts.set(digest[0] as number, part);
    if (part.has(key)) return false;
    part.add(key);
    return true;
  }
}
