// Where predecessors are found: in the ledger, and among tokens that were handed along.

import { createYielder, type Ending, STEPS_PER_TOKEN } from '../concurrency/yielder.ts';
import { type Ancestry, bundleAncestry, combine, type Task } from '../dag/index.ts';
import type { Rejection } from '../errors.ts';
import type { Ledger, LedgerRecord } from '../ledger/index.ts';
import { type VerifiedToken, type VerifyOptions, verifyToken } from '../token/index.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { BEFORE_ANY_RECORD, isOfCompromisedKey, recordOf, secondOf } from './evidence.ts';
import { demandIntact } from './intact-records.ts';
import { asTask, isTask } from './leaf.ts';
import { askedAbout, readerFor } from './read-permission.ts';
import { taskOf } from './task.ts';

/**
 * Recorded tasks. Where workflows share a `jti`: the same workflow first, then none, then one other. No scope of tasks comes
 * after those of marks and keys, which begin with a character that no `wid` has: a mark never hides a task.
 */
export function ledgerAncestry(ledger: Ledger, { checked = false, mayFollow }: LedgerLook = {}): Ancestry {
  return {
    find: async (jtis, wid) => {
      const found = await ledger.lookUp(wid, jtis, 'nearest');
      const seen = mayFollow === undefined ? found : await allowed(found, wid, mayFollow);
      const records = seen.filter((record) => record !== undefined);
      if (checked) await demandIntact(ledger, records);
      const tasks = records.filter(isTask).map(asTask);
      return new Map(tasks.map((task) => [task.jti, task]));
    },
  };
}

/** How recorded tasks are looked at. */
interface LedgerLook {
  /** Records are compared with the tree first, which costs more than to look them up. */
  readonly checked?: boolean;
  /** Whether a task of another workflow may be found; otherwise it is as if it were not there. Undefined: each of them. */
  readonly mayFollow?: MayFollow | undefined;
}

/** It is asked about what is not there as well: what is there and what is not take the same look-ups. */
type MayFollow = (record: LedgerRecord | undefined) => Promise<boolean>;

async function allowed(
  records: readonly (LedgerRecord | undefined)[],
  wid: string,
  mayFollow: MayFollow,
): Promise<readonly (LedgerRecord | undefined)[]> {
  const kept: (LedgerRecord | undefined)[] = [];
  for (const record of records) {
    const isNear = record !== undefined && (record.scope === wid || record.scope === '');
    if (isNear || (await mayFollow(record))) kept.push(record);
  }
  return kept;
}

/**
 * Recorded tasks for one caller. A caller that knows the name of a task in another workflow could learn whether and where it is recorded:
 * a caller that may not read that task does not find it.
 */
export function ancestryFor(context: AuthorityContext, caller: Caller): Ancestry {
  return ledgerAncestry(context.ledger, { mayFollow: mayFollow(context, caller) });
}

/** What `ancestryFor` asks; undefined for a caller that may read every entry. */
export function mayFollow(context: AuthorityContext, caller: Caller): MayFollow | undefined {
  const { seesAll, maySee } = readerFor(context, caller, 'GetEntry', true);
  return seesAll ? undefined : (record) => maySee(record && askedAbout(record));
}

/** How predecessors are looked at. */
interface Look extends LedgerLook {
  /** Evidence: tokens that came along are judged as of this second. */
  readonly asOf?: number | undefined;
}

/**
 * The ledger, and tokens that came along. Each token is fully verified as a record before any of it is used; the first
 * invalid one is the answer.
 */
export async function ancestryWith(
  context: AuthorityContext,
  predecessors: readonly string[],
  deadline: Ending,
  { asOf, ...look }: Look = {},
): Promise<Ancestry | Rejection> {
  const recorded = ledgerAncestry(context.ledger, look);
  if (predecessors.length === 0) return recorded;
  const tasks: Task[] = [];
  const yielder = createYielder(deadline);
  for (const [position, text] of predecessors.entries()) {
    if (yielder.step(STEPS_PER_TOKEN)) await yielder.yield();
    const read = await readAsTask(context, text, asOf);
    if ('reason' in read) return namePredecessor(read, position);
    tasks.push(read.task);
  }
  return combine(recorded, bundleAncestry(tasks));
}

/** A token that was handed in, and the task that it is about. */
export interface ReadTask {
  readonly token: VerifiedToken;
  readonly task: Task;
}

/**
 * Verifies a token as the record of a task. What was signed under a key that is compromised counts only where the ledger recorded it
 * before that; `asOf` (seconds) judges it as evidence.
 */
export async function readAsTask(
  context: AuthorityContext,
  text: string,
  asOf?: number,
): Promise<ReadTask | Rejection> {
  const first = verifyRecord(context, text, { asOf });
  const isDoubted = 'reason' in first && isOfCompromisedKey(first.reason);
  const recordedAt = isDoubted ? await recordTimeOf(context, text, asOf) : undefined;
  const token = recordedAt === undefined ? first : verifyRecord(context, text, { asOf, recordedAt });
  if ('reason' in token) return token;
  const task = taskOf(token, context.policy.graph);
  const knownAt = recordedAt ?? asOf;
  return { token, task: knownAt === undefined ? task : { ...task, knownAt } };
}

/** The second in which the ledger recorded a token whose key is compromised by now; undefined where it did not. */
async function recordTimeOf(context: AuthorityContext, text: string, asOf?: number): Promise<number | undefined> {
  const assumed = verifyRecord(context, text, { asOf, recordedAt: BEFORE_ANY_RECORD });
  const record = 'reason' in assumed ? undefined : await recordOf(context, assumed, asOf);
  return record && secondOf(record);
}

/**
 * Verifies a token as the record of a task: form, key, signature, claims and issuer. It may have expired and may be
 * addressed to another party, as the predecessors of a long workflow are; it must not come from the future.
 */
export function verifyRecord(
  context: AuthorityContext,
  text: string,
  times: Pick<VerifyOptions, 'asOf' | 'recordedAt'> = {},
): VerifiedToken | Rejection {
  const verdict = verifyToken(
    text,
    { now: context.now(), purpose: 'recorded', ...times },
    context.policy.token,
    context.keys,
    context.signatures,
  );
  return verdict.ok ? verdict.token : verdict.rejection;
}

function namePredecessor(rejection: Rejection, position: number): Rejection {
  return {
    ...rejection,
    message: `Predecessor ${position} in predecessor_tokens is rejected: ${rejection.message}`,
    metadata: { ...rejection.metadata, predecessor: String(position) },
  };
}
