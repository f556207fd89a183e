// Appends several tokens so that a later one may follow an earlier one. What goes in together shares a commit, also where
// one follows another: a chain of a hundred costs one sync of the disk, not a hundred.

import { createYielder, type Ending, STEPS_PER_TOKEN, throwIfEnded, type Yielder } from '../concurrency/yielder.ts';
import {
  type Ancestry,
  combine,
  indexTasks,
  type LedgerFacts,
  ROOT_FACTS,
  rejectionOf,
  type Task,
} from '../dag/index.ts';
import { EctError } from '../errors.ts';
import { type Candidate, EntryMissing, type EntryRef, MAX_LOOKUP_NAMES } from '../ledger/index.ts';
import type { VerifiedToken } from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { type Appended, append, demandEntry, verifyForLedger, write } from './append.ts';
import { policyInForce } from './authorizer.ts';
import { planOrder } from './batch-order.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate } from './leaf.ts';
import { provenanceOf } from './provenance.ts';
import { Slots } from './slots.ts';
import { taskOf } from './task.ts';
import { entryBytes } from './write-sizes.ts';

/** Tokens that go in together: names that one look-up takes. */
const GROUP = MAX_LOOKUP_NAMES;

/** Batches that are worked on at once: one computes while the entries of the other are written. The others hold no memory. */
const BATCHES = new Slots(2);

/**
 * Items stand alone; the result of each is in its place. Nothing more is begun once the signal has aborted. `policies`: of each item, the
 * digest of the policy that allows it.
 */
export async function appendBatch(
  context: AuthorityContext,
  caller: Caller,
  texts: readonly string[],
  signal: AbortSignal,
  policies: readonly (string | undefined)[] = [],
): Promise<readonly (Appended | EctError)[]> {
  const leave = await BATCHES.enter({ signal });
  try {
    return await appendItems(context, caller, texts, signal, policies);
  } finally {
    leave();
  }
}

async function appendItems(
  context: AuthorityContext,
  caller: Caller,
  texts: readonly string[],
  signal: AbortSignal,
  policies: readonly (string | undefined)[],
): Promise<readonly (Appended | EctError)[]> {
  const results: (Appended | EctError)[] = [];
  const yielder = createYielder({ signal });
  const items = await verifyEach(context, caller, texts, policies, yielder);
  const order = await planOrder(items, yielder);
  for (let start = 0; start < order.length; start += GROUP) {
    throwIfEnded(signal);
    const group = order.slice(start, start + GROUP);
    const outcomes = await appendGroup(
      context,
      caller,
      group.map((position) => items[position]!),
      signal,
      yielder,
    );
    for (const [nth, position] of group.entries()) results[position] = outcomes[nth]!;
    await yielder.yield();
  }
  return results;
}

/** An item of a batch; `token` only where it holds. */
interface Item {
  readonly text: string;
  readonly token: VerifiedToken | undefined;
  readonly policy: string;
}

/** Tokens that are verified together. */
const VERIFIED_TOGETHER = 32;

async function verifyEach(
  context: AuthorityContext,
  caller: Caller,
  texts: readonly string[],
  policies: readonly (string | undefined)[],
  yielder: Yielder,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let start = 0; start < texts.length; start += VERIFIED_TOGETHER) {
    const part = texts.slice(start, start + VERIFIED_TOGETHER);
    const verdicts = await Promise.all(
      part.map(async (text) => (hasRoom(context, caller, text) ? verifyForLedger(context, text) : undefined)),
    );
    for (const [nth, text] of part.entries()) {
      const verdict = verdicts[nth];
      const policy = policies[start + nth] ?? policyInForce(context);
      items.push({ text, token: verdict?.ok ? verdict.token : undefined, policy });
    }
    if (yielder.step(part.length * STEPS_PER_TOKEN)) await yielder.yield();
  }
  return items;
}

/** What may not be written is not verified either; it is rejected when it is appended by itself. */
function hasRoom(context: AuthorityContext, caller: Caller, text: string): boolean {
  try {
    demandEntry(context, caller, text);
    return true;
  } catch {
    return false;
  }
}

/** Appends items in which predecessors come first. Whatever is not new and sound is appended by itself afterwards. */
async function appendGroup(
  context: AuthorityContext,
  caller: Caller,
  items: readonly Item[],
  signal: AbortSignal,
  yielder: Yielder,
): Promise<readonly (Appended | EctError)[]> {
  // Where damage is known nothing is recorded, but each item has an answer of its own: what is there already is found.
  const candidates = context.ledger.isDamaged
    ? items.map(() => undefined)
    : await examineInOrder(context, caller, items, signal, yielder);
  const recording = candidates.map((candidate, nth) => {
    const { text, token } = items[nth]!;
    if (candidate === undefined || token === undefined) return undefined;
    return outcomeOf(write(context, caller, candidate, entryBytes(text.length, token.claims), signal));
  });
  const outcomes: (Appended | EctError)[] = [];
  for (const [nth, { text, policy }] of items.entries()) {
    const outcome = await recording[nth];
    outcomes.push(outcome ?? (await append(context, caller, text, signal, policy).catch(rejectionOnly)));
    if (outcome === undefined && yielder.step(STEPS_PER_TOKEN)) await yielder.yield();
  }
  return outcomes;
}

/** Returns for each token in turn whether its name is recorded, or belongs to one before it. */
async function takenNames(
  { ledger }: AuthorityContext,
  items: readonly Item[],
): Promise<(token: VerifiedToken) => boolean> {
  const names = new Map<string, Set<string>>();
  for (const { token } of items) {
    // Of a task without predecessors the commit decides, and nothing depends on its answer before.
    if (token === undefined || token.claims.pred.length === 0) continue;
    const { wid, jti } = token.claims;
    names.set(wid, (names.get(wid) ?? new Set()).add(jti));
  }
  const taken = new Map<string, Set<string>>();
  for (const [wid, jtis] of names) {
    const found = await ledger.lookUp(wid, [...jtis], 'scope');
    taken.set(wid, new Set(found.map((record) => record?.name).filter((name) => name !== undefined)));
  }
  return ({ claims: { wid, jti } }) => {
    const own = taken.get(wid) ?? new Set<string>();
    taken.set(wid, own);
    const isTaken = own.has(jti);
    own.add(jti);
    return isTaken;
  };
}

/** What is to be recorded together, in order; undefined for what its graph does not allow, or not yet. */
async function examineInOrder(
  context: AuthorityContext,
  caller: Caller,
  items: readonly Item[],
  signal: AbortSignal,
  yielder: Yielder,
): Promise<readonly (Candidate | undefined)[]> {
  const { graph } = context.policy;
  const isTaken = await takenNames(context, items);
  const ahead = new Ahead();
  const ancestry = combine(ancestryFor(context, caller), ahead);
  const candidates: (Candidate | undefined)[] = [];
  for (const { text, token, policy } of items) {
    if (yielder.step(STEPS_PER_EXAMINATION)) await yielder.yield();
    const isNew = token !== undefined && !isTaken(token);
    const found = isNew ? await examineNext(context, token, ancestry, { signal }) : undefined;
    if (token === undefined || found === undefined) {
      candidates.push(undefined);
      continue;
    }
    const { facts, met } = found;
    const after = met.flatMap((task) => ahead.refOf(task) ?? []);
    const provenance = provenanceOf({ caller, action: 'AppendLedger', policy });
    const candidate = asCandidate(text, token, graph, facts, provenance);
    candidates.push(after.length === 0 ? candidate : { ...candidate, after });
    ahead.add(placed(taskOf(token, graph, 'L3'), facts), candidate);
  }
  return candidates;
}

/** What a task is recorded with, and which tasks that rests on; undefined where it may not be recorded. */
async function examineNext(context: AuthorityContext, token: VerifiedToken, ancestry: Ancestry, deadline: Ending) {
  if (token.claims.pred.length === 0) return { facts: ROOT_FACTS, met: [] };
  const report = await examineForLedger(context, token, ancestry, false, deadline);
  if (rejectionOf(report, { complete: true }) !== undefined) return undefined;
  return { facts: report.facts, met: report.graph.tasks };
}

function placed(task: Task, { depth, predWids }: Partial<LedgerFacts> = {}): Task {
  return {
    ...task,
    ...(depth === undefined ? {} : { depth }),
    ...(predWids === undefined ? {} : { predWids }),
  };
}

/** What it costs to examine a task with few predecessors, in steps. */
const STEPS_PER_EXAMINATION = 200;

/** Tasks that will be recorded before those that are examined after them, or none of them will. */
class Ahead implements Ancestry {
  readonly #index = indexTasks();
  readonly #refs = new Map<Task, EntryRef>();

  add(task: Task, { scope, name, digest }: EntryRef): void {
    this.#index.add(task);
    this.#refs.set(task, { scope, name, digest });
  }

  refOf(task: Task): EntryRef | undefined {
    return this.#refs.get(task);
  }

  async find(jtis: readonly string[], wid: string): Promise<ReadonlyMap<string, Task>> {
    const found = new Map<string, Task>();
    for (const jti of jtis) {
      const position = this.#index.find(jti, wid);
      if (position !== undefined) found.set(jti, this.#index.tasks[position]!);
    }
    return found;
  }
}

/** Undefined where what the entry follows did not come into the ledger as it was meant to. */
async function outcomeOf(writing: Promise<Appended>): Promise<Appended | EctError | undefined> {
  try {
    return await writing;
  } catch (error) {
    return error instanceof EntryMissing ? undefined : rejectionOnly(error);
  }
}

function rejectionOnly(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  throw thrown;
}
