// Appends several tokens so that a later one may follow an earlier one. What goes in together shares a commit, also where
// one follows another: a chain of a hundred costs one sync of the disk, not a hundred.

import {
  type Ancestry,
  combine,
  indexTasks,
  type LedgerFacts,
  ROOT_FACTS,
  refusalOf,
  type Task,
} from '../dag/index.ts';
import { EctError } from '../errors.ts';
import { type Candidate, EntryMissing, type EntryRef, MAX_LOOKUP_NAMES } from '../ledger/index.ts';
import { createPace, type Ending, type Pace, STEPS_PER_TOKEN, throwIfEnded } from '../pace.ts';
import type { VerifiedToken } from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { type Appended, append, demandEntry, verifyForLedger, write } from './append.ts';
import { planOrder } from './append-order.ts';
import type { Caller } from './caller.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate } from './leaf.ts';
import type { AuthorityParts } from './parts.ts';
import { Places } from './places.ts';
import { taskOf } from './task.ts';
import { entryBytes } from './write-sizes.ts';

/** Tokens that go in together: names that one look-up takes. */
const GROUP = MAX_LOOKUP_NAMES;

/** Batches that are worked on at once: one computes while the entries of the other are written. The others hold no memory. */
const BATCHES = new Places(2);

/** Items stand alone; the result of each is in its place. Nothing more is begun once the signal has aborted. */
export async function appendBatch(
  parts: AuthorityParts,
  caller: Caller,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly (Appended | EctError)[]> {
  const leave = await BATCHES.enter({ signal });
  try {
    return await appendItems(parts, caller, texts, signal);
  } finally {
    leave();
  }
}

async function appendItems(
  parts: AuthorityParts,
  caller: Caller,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly (Appended | EctError)[]> {
  const results: (Appended | EctError)[] = [];
  const pace = createPace({ signal });
  const items = await verifyEach(parts, caller, texts, pace);
  const order = await planOrder(items, pace);
  for (let start = 0; start < order.length; start += GROUP) {
    throwIfEnded(signal);
    const group = order.slice(start, start + GROUP);
    const outcomes = await appendGroup(
      parts,
      caller,
      group.map((position) => items[position]!),
      signal,
      pace,
    );
    for (const [nth, position] of group.entries()) results[position] = outcomes[nth]!;
    await pace.rest();
  }
  return results;
}

/** An item of a batch; `token` only where it holds. */
interface Item {
  readonly text: string;
  readonly token: VerifiedToken | undefined;
}

/** Tokens that are verified together. */
const VERIFIED_TOGETHER = 32;

async function verifyEach(
  parts: AuthorityParts,
  caller: Caller,
  texts: readonly string[],
  pace: Pace,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let start = 0; start < texts.length; start += VERIFIED_TOGETHER) {
    const part = texts.slice(start, start + VERIFIED_TOGETHER);
    const verdicts = await Promise.all(
      part.map(async (text) => (hasRoom(parts, caller, text) ? verifyForLedger(parts, text) : undefined)),
    );
    for (const [nth, text] of part.entries()) {
      const verdict = verdicts[nth];
      items.push({ text, token: verdict?.ok ? verdict.token : undefined });
    }
    if (pace.step(part.length * STEPS_PER_TOKEN)) await pace.rest();
  }
  return items;
}

/** What may not be written is not verified either; it is refused when it is appended by itself. */
function hasRoom(parts: AuthorityParts, caller: Caller, text: string): boolean {
  try {
    demandEntry(parts, caller, text);
    return true;
  } catch {
    return false;
  }
}

/** Appends items in which predecessors come first. Whatever is not new and sound is appended by itself afterwards. */
async function appendGroup(
  parts: AuthorityParts,
  caller: Caller,
  items: readonly Item[],
  signal: AbortSignal,
  pace: Pace,
): Promise<readonly (Appended | EctError)[]> {
  // Where damage is known nothing is recorded, but each item has an answer of its own: what is there already is found.
  const candidates = parts.ledger.isDamaged
    ? items.map(() => undefined)
    : await examineInOrder(parts, caller, items, signal, pace);
  const recording = candidates.map((candidate, nth) => {
    const { text, token } = items[nth]!;
    if (candidate === undefined || token === undefined) return undefined;
    return settle(write(parts, caller, candidate, entryBytes(text.length, token.claims), signal));
  });
  const outcomes: (Appended | EctError)[] = [];
  for (const [nth, { text }] of items.entries()) {
    const outcome = await recording[nth];
    outcomes.push(outcome ?? (await append(parts, caller, text, signal).catch(refusalOnly)));
    if (outcome === undefined && pace.step(STEPS_PER_TOKEN)) await pace.rest();
  }
  return outcomes;
}

/** Tells of each token in turn whether its name is recorded, or belongs to one before it. */
async function takenNames(
  { ledger }: AuthorityParts,
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
  parts: AuthorityParts,
  caller: Caller,
  items: readonly Item[],
  signal: AbortSignal,
  pace: Pace,
): Promise<readonly (Candidate | undefined)[]> {
  const { graph } = parts.policy;
  const isTaken = await takenNames(parts, items);
  const ahead = new Ahead();
  const ancestry = combine(ancestryFor(parts, caller), ahead);
  const candidates: (Candidate | undefined)[] = [];
  for (const { text, token } of items) {
    if (pace.step(STEPS_PER_EXAMINATION)) await pace.rest();
    const isNew = token !== undefined && !isTaken(token);
    const found = isNew ? await examineNext(parts, token, ancestry, { signal }) : undefined;
    if (token === undefined || found === undefined) {
      candidates.push(undefined);
      continue;
    }
    const { facts, met } = found;
    const after = met.flatMap((task) => ahead.refOf(task) ?? []);
    const candidate = asCandidate(text, token, graph, facts);
    candidates.push(after.length === 0 ? candidate : { ...candidate, after });
    ahead.add(placed(taskOf(token, graph, 'L3'), facts), candidate);
  }
  return candidates;
}

/** What a task is recorded with, and which tasks that rests on; undefined where it may not be recorded. */
async function examineNext(parts: AuthorityParts, token: VerifiedToken, ancestry: Ancestry, until: Ending) {
  if (token.claims.pred.length === 0) return { facts: ROOT_FACTS, met: [] };
  const report = await examineForLedger(parts, token, ancestry, false, until);
  if (refusalOf(report, { complete: true }) !== undefined) return undefined;
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
async function settle(writing: Promise<Appended>): Promise<Appended | EctError | undefined> {
  try {
    return await writing;
  } catch (error) {
    return error instanceof EntryMissing ? undefined : refusalOnly(error);
  }
}

function refusalOnly(thrown: unknown): EctError {
  if (thrown instanceof EctError) return thrown;
  throw thrown;
}
