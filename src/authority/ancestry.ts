// Finds predecessors in the ledger and among tokens in the request.

import { createYielder, type Ending, STEPS_PER_DECISION, STEPS_PER_TOKEN } from '../concurrency/yielder.ts';
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
 * Recorded tasks. If several workflows share a `jti`, the same workflow comes first, then no workflow, then another one. A mark never
 * hides a task, because the scopes of marks and keys sort after every `wid`.
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

/** How recorded tasks are read. */
interface LedgerLook {
  /** Whether records are compared with the tree first, which costs more than reading them. */
  readonly checked?: boolean;
  /** Whether a task of another workflow may be found; if not, it counts as missing. Undefined: all may be found. */
  readonly mayFollow?: MayFollow | undefined;
}

/** Called for missing tasks too, so that existing and missing ones take the same lookups. */
type MayFollow = (record: LedgerRecord | undefined) => Promise<boolean>;

async function allowed(
  records: readonly (LedgerRecord | undefined)[],
  wid: string,
  mayFollow: MayFollow,
): Promise<readonly (LedgerRecord | undefined)[]> {
  const kept: (LedgerRecord | undefined)[] = [];
  const yielder = createYielder();
  for (const record of records) {
    const isNear = record !== undefined && (record.scope === wid || record.scope === '');
    if (!isNear && yielder.step(STEPS_PER_DECISION)) await yielder.yield();
    if (isNear || (await mayFollow(record))) kept.push(record);
  }
  return kept;
}

/**
 * Recorded tasks for one caller. A caller that may not read a task of another workflow does not find it; otherwise it could learn from a
 * name whether and where the task is recorded.
 */
export function ancestryFor(context: AuthorityContext, caller: Caller): Ancestry {
  return ledgerAncestry(context.ledger, { mayFollow: mayFollow(context, caller) });
}

/** The permission check for `ancestryFor`; undefined for a caller that may read every entry. */
export function mayFollow(context: AuthorityContext, caller: Caller): MayFollow | undefined {
  const { seesAll, maySee } = readerFor(context, caller, 'GetEntry', true);
  return seesAll ? undefined : (record) => maySee(record && askedAbout(record));
}

/** How predecessors are verified. */
interface Look extends LedgerLook {
  /** Evidence: tokens in the request are verified as of this second. */
  readonly asOf?: number | undefined;
}

/**
 * The ledger and tokens in the request. Each token is completely verified before any of it is used; the first invalid one determines the
 * result.
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

/** A token in the request, and its task. */
export interface ReadTask {
  readonly token: VerifiedToken;
  readonly task: Task;
}

/**
 * Verifies a token as the record of a task. A token under a compromised key is valid only if the ledger recorded it before the
 * compromise; with `asOf` (seconds) it is verified as evidence.
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

/** The second in which the ledger recorded a token whose key is now compromised; undefined if it did not. */
async function recordTimeOf(context: AuthorityContext, text: string, asOf?: number): Promise<number | undefined> {
  const assumed = verifyRecord(context, text, { asOf, recordedAt: BEFORE_ANY_RECORD });
  const record = 'reason' in assumed ? undefined : await recordOf(context, assumed, asOf);
  return record && secondOf(record);
}

/**
 * Verifies a token as the record of a task: form, key, signature, claims and issuer. It may have expired and may have another audience,
 * like the predecessors of a long workflow; it must not be from the future.
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
