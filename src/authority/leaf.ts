// The leaf of a recorded task: canonical JSON (RFC 8785) from which the graph can be rebuilt and judged, and a
// commitment to the token in its place, so that content can be erased without breaking a proof.

import { isKeyLeafOf, KEY_SCOPE, type KeyLeaf } from '../custody/index.ts';
import type { Task } from '../dag/index.ts';
import { EctError, refuse } from '../errors.ts';
import type { Candidate, LedgerRecord } from '../ledger/index.ts';
import { readCompact, type VerifiedToken } from '../token/index.ts';
import { MARK_SCOPE, type MarkLeaf, nameOf, subjectOf } from './marks.ts';
import type { GraphPolicy } from './parts.ts';
import { asTaskFacts, type PolicyFacts, policyFacts } from './task.ts';

const LEAF_VERSION = 1;

/** What the leaf of a task says. The policy facts are as they were judged when the task was recorded. */
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
  /** At most so many ancestors, all of them in the task's own workflow and complete when it was recorded. */
  readonly ancestors?: number;
}

/** What the ledger wants to know of a token that was verified, or that is our own. */
export type RecordableToken = Pick<VerifiedToken, 'claims' | 'kid' | 'digest'>;

/**
 * A token as the ledger takes it: `wid` is the scope, `jti` the name. `ancestors` is what the examination of its graph
 * allows the ledger to vouch for.
 */
export function asCandidate(
  text: string,
  { claims, kid, digest }: RecordableToken,
  policy: GraphPolicy,
  ancestors: number | undefined,
): Candidate {
  const { jti, wid, iss, pred, iat } = claims;
  const { pol_decision, compensation, review } = policyFacts(claims, policy);
  return {
    scope: wid,
    name: jti,
    author: iss,
    digest,
    content: Buffer.from(text, 'latin1'),
    leaf: ({ recordedAtMs, commitment }) => {
      // Canonical as it stands: the members are in order, absent ones are left out, and RFC 8785 spells strings and
      // numbers as JSON.stringify does.
      const leaf = {
        ancestors,
        commitment,
        compensation,
        iat,
        iss,
        jti,
        kid,
        level: 'L3',
        pol_decision,
        pred,
        recorded_at: recordedAtMs,
        review,
        v: LEAF_VERSION,
        wid: wid === '' ? undefined : wid,
      } satisfies { [Name in keyof Leaf]: Leaf[Name] | undefined };
      return Buffer.from(JSON.stringify(leaf), 'utf8');
    },
  };
}

/** Whether a scope is of tasks; in the others are marks, and keys. */
export function isTaskScope(scope: string): boolean {
  return scope !== MARK_SCOPE && scope !== KEY_SCOPE;
}

/** Whether a record is a task. */
export function isTask({ scope }: LedgerRecord): boolean {
  return isTaskScope(scope);
}

/** Reads a leaf of this ledger. What cannot be one means that the store was damaged: LEDGER_CORRUPT. */
export function readLeaf(record: LedgerRecord): Leaf | MarkLeaf | KeyLeaf {
  try {
    const leaf = JSON.parse(Buffer.from(record.leaf).toString('utf8')) as Leaf | MarkLeaf | KeyLeaf;
    if (leaf.v === LEAF_VERSION && isAbout(leaf, record)) return leaf;
  } catch (cause) {
    throw new EctError(corrupt(record), { cause });
  }
  throw new EctError(corrupt(record));
}

function isAbout(leaf: Leaf | MarkLeaf | KeyLeaf, record: LedgerRecord): boolean {
  const { scope, name } = record;
  if (leaf.type === 'key') return isKeyLeafOf(leaf, record);
  if (leaf.type === 'taint') return scope === MARK_SCOPE && name === nameOf(subjectOf(leaf));
  return leaf.type === undefined && leaf.jti === name && (leaf.wid ?? '') === scope;
}

/** The task that a record is about, as the rules of the graph see it. */
export function asTask(record: LedgerRecord): Task {
  const leaf = readLeaf(record);
  if (leaf.type !== undefined) throw new EctError(corrupt(record));
  const { jti, wid, iss, iat, pred, kid, level, ancestors } = leaf;
  const settled = ancestors === undefined ? {} : { settled: ancestors };
  return { jti, wid: wid ?? '', iss, iat, pred, kid, level, ...asTaskFacts(leaf), ...settled };
}

/** The same with `exec_act`, where the token has not been erased. */
export function asLabelledTask(record: LedgerRecord): Task {
  const task = asTask(record);
  const reading = record.content === null ? undefined : readCompact(Buffer.from(record.content).toString('latin1'));
  const action = reading?.ok === true ? reading.parts.payload['exec_act'] : undefined;
  return typeof action === 'string' ? { ...task, exec_act: action } : task;
}

function corrupt(record: LedgerRecord) {
  return refuse('LEDGER_CORRUPT', `Entry ${record.index} is not a leaf that this service wrote.`);
}
