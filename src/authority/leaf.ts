// The leaf of a recorded task: canonical JSON (RFC 8785) from which the graph can be rebuilt and judged, and a
// commitment to the token in its place, so that content can be erased without breaking a proof.

import type { LedgerFacts, Task } from '../dag/index.ts';
import { EctError, reject } from '../errors.ts';
import { isKeyLeafOf, KEY_SCOPE, type KeyLeaf } from '../key-manager/index.ts';
import type { Candidate, LedgerRecord } from '../ledger/index.ts';
import { readCompact, type VerifiedToken } from '../token/index.ts';
import type { GraphPolicy } from './context.ts';
import { LOSS_SCOPE, type LossLeaf, nameOfLoss } from './loss-entry.ts';
import { MARK_SCOPE, type MarkLeaf, nameOfMark, sinceMsOf } from './marks.ts';
import { asTaskFacts, type PolicyFacts, policyFacts } from './task.ts';

const LEAF_VERSION = 1;

/** The leaf of a task. The policy claims are those at the time of the recording. */
export interface Leaf extends PolicyFacts {
  readonly v: typeof LEAF_VERSION;
  /** Only leaves of another kind have one. */
  readonly type?: never;
  readonly jti: string;
  readonly wid?: string;
  readonly iss: string;
  readonly pred: readonly string[];
  readonly iat: number;
  readonly kid: string;
  readonly level: 'L3';
  /** Milliseconds since the epoch. */
  readonly recorded_at: number;
  /** base64url(SHA-256(salt || token)). */
  readonly commitment: string;
  /** The length of the longest path that ends at this task. Set only if the ledger has checked all its ancestors. */
  readonly depth?: number;
  /** The workflow of each predecessor, in the order of `pred`; absent if all are in the workflow of the task. Empty: none. */
  readonly pred_wid?: readonly string[];
  /** A member of older leaves: the maximum number of ancestors. It is no longer used. */
  readonly ancestors?: number;
}

/** The data of a verified token, or of our own token, that its entry needs. */
export type RecordableToken = Pick<VerifiedToken, 'claims' | 'kid' | 'digest'>;

/**
 * Creates the candidate for a token: `wid` is the scope, `jti` the name. `facts` are the results of the graph examination, which its
 * successors use; without them the ledger vouches for no ancestors. `provenance`: see provenance.ts.
 */
export function asCandidate(
  text: string,
  { claims, kid, digest }: RecordableToken,
  policy: GraphPolicy,
  facts: LedgerFacts | undefined,
  provenance?: Uint8Array,
): Candidate {
  const { jti, wid, iss, pred, iat } = claims;
  const { pol_decision, compensation, review } = policyFacts(claims, policy);
  return {
    scope: wid,
    name: jti,
    author: iss,
    digest,
    content: Buffer.from(text, 'latin1'),
    provenance,
    leaf: ({ recordedAtMs, commitment }) => {
      // This is canonical JSON: the members are in order, absent ones are left out, and RFC 8785 writes strings and numbers as
      // JSON.stringify does.
      const leaf = {
        commitment,
        compensation,
        depth: facts?.depth,
        iat,
        iss,
        jti,
        kid,
        level: 'L3',
        pol_decision,
        pred,
        pred_wid: facts?.predWids,
        recorded_at: recordedAtMs,
        review,
        v: LEAF_VERSION,
        wid: wid === '' ? undefined : wid,
      } satisfies { [Name in Exclude<keyof Leaf, 'ancestors' | 'type'>]: Leaf[Name] | undefined };
      return Buffer.from(JSON.stringify(leaf), 'utf8');
    },
  };
}

/** Whether a scope contains tasks; other scopes contain marks, keys and accepted losses. */
export function isTaskScope(scope: string): boolean {
  return scope !== MARK_SCOPE && scope !== KEY_SCOPE && scope !== LOSS_SCOPE;
}

/** Whether a record is a task. */
export function isTask({ scope }: LedgerRecord): boolean {
  return isTaskScope(scope);
}

/** The kinds of entries. */
type AnyLeaf = Leaf | MarkLeaf | KeyLeaf | LossLeaf;

/** Reads a leaf of this ledger. An invalid leaf means that the store was damaged: LEDGER_CORRUPT. */
export function readLeaf(record: LedgerRecord): AnyLeaf {
  try {
    const leaf = JSON.parse(Buffer.from(record.leaf).toString('utf8')) as AnyLeaf;
    if (leaf.v === LEAF_VERSION && isAbout(leaf, record)) return leaf;
  } catch (cause) {
    throw new EctError(corrupt(record), { cause });
  }
  throw new EctError(corrupt(record));
}

function isAbout(leaf: AnyLeaf, record: LedgerRecord): boolean {
  const { scope, name } = record;
  if (leaf.type === 'key') return isKeyLeafOf(leaf, record);
  if (leaf.type === 'loss') return scope === LOSS_SCOPE && name === nameOfLoss(leaf);
  if (leaf.type === 'taint')
    return scope === MARK_SCOPE && name === nameOfMark(leaf) && Number.isSafeInteger(sinceMsOf(leaf));
  return leaf.type === undefined && leaf.jti === name && (leaf.wid ?? '') === scope;
}

/** The task of a record, for the rules of the graph. */
export function asTask(record: LedgerRecord): Task {
  const leaf = readLeaf(record);
  if (leaf.type !== undefined) throw new EctError(corrupt(record));
  const { jti, wid, iss, iat, pred, pred_wid, kid, level } = leaf;
  return {
    jti,
    wid: wid ?? '',
    iss,
    iat,
    pred,
    kid,
    level,
    entry: record.index,
    knownAt: Math.floor(leaf.recorded_at / 1000),
    ...asTaskFacts(leaf),
    ...ledgerFacts(leaf),
    ...(pred_wid?.length === pred.length ? { predWids: pred_wid } : {}),
  };
}

/** A task without predecessors has a complete past. */
function ledgerFacts({ pred, depth }: Leaf): Pick<Task, 'depth'> {
  if (pred.length === 0) return { depth: 1 };
  return depth === undefined ? {} : { depth };
}

/** The same with `exec_act`, if the token was not erased. */
export function asLabelledTask(record: LedgerRecord): Task {
  const task = asTask(record);
  const reading = record.content === null ? undefined : readCompact(Buffer.from(record.content).toString('latin1'));
  const action = reading?.ok === true ? reading.parts.payload['exec_act'] : undefined;
  return typeof action === 'string' ? { ...task, exec_act: action } : task;
}

function corrupt(record: LedgerRecord) {
  return reject('LEDGER_CORRUPT', `Entry ${record.index} is not a leaf that this service wrote.`);
}
