// What callers do. Each operation writes down what it was answered.

import { randomUUID } from 'node:crypto';
import { type Page, type Recorded, reasonIn, type Verdict } from '../interop/answers.ts';
import { CallError, type Status } from '../interop/grpc-js-client.ts';
import {
  type Caller,
  call,
  type IssuedWithReceipt,
  keepIssued,
  keepListed,
  keepRecorded,
  type Level,
} from './caller.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const LEDGER = 'ect.v1.LedgerService';
const AUDIENCE = 'urn:example:reviewer';
/** None expires within a run. */
const TTL = { seconds: '3600' };
const WORKFLOWS = Array.from({ length: 12 }, () => randomUUID());

type Operation = (caller: Caller) => Promise<unknown>;

const order = (level: Level, more: object = {}) => ({ exec_act: 'review', aud: [AUDIENCE], ttl: TTL, level, ...more });

async function issue(caller: Caller, level: Level, more: { readonly wid?: string; readonly pred?: readonly string[] }) {
  const answer = await call<IssuedWithReceipt>(caller, `${AUTHORITY}/Issue`, order(level, more));
  keepIssued(caller, answer, more.wid ?? '', true);
}

async function issueChild(caller: Caller): Promise<void> {
  const parent = caller.pools.tasks.look();
  const wid = parent?.wid ?? caller.pools.chance.pick(WORKFLOWS);
  await issue(caller, 'LEVEL_L3', { ...(wid === '' ? {} : { wid }), pred: parent === undefined ? [] : [parent.jti] });
}

/** A request id, once or again: the token is the same. */
async function issueKeyed(caller: Caller): Promise<void> {
  const isAgain = caller.pools.chance.happens(0.5);
  const known = isAgain ? (caller.pools.keyed.look() as ReturnType<typeof order> | undefined) : undefined;
  const level = caller.pools.chance.pick(['LEVEL_L2', 'LEVEL_L3'] as const);
  const request = known ?? order(level, { request_id: randomUUID() });
  // Also where this call fails: whether it had an effect is what the next one finds out.
  if (known === undefined) caller.pools.keyed.add(request);
  const answer = await call<IssuedWithReceipt>(caller, `${AUTHORITY}/Issue`, request);
  keepIssued(caller, answer, '', false, (request as { request_id?: string }).request_id);
}

async function issueBatch(caller: Caller): Promise<void> {
  const items = Array.from({ length: caller.pools.chance.between(3, 12) }, (_, reference) => ({
    reference: String(reference),
    request: order(caller.pools.chance.pick(['LEVEL_L2', 'LEVEL_L3'] as const)),
  }));
  type Result = { readonly response: IssuedWithReceipt | null; readonly error: Status | null };
  const { results } = await call<{ results: readonly Result[] }>(caller, `${AUTHORITY}/BatchIssue`, { items });
  for (const { response, error } of results) {
    if (response) keepIssued(caller, response, '', true);
    else if (error)
      caller.journal.failed('BatchIssue item', caller.client.errorInfoIn(error)?.reason ?? String(error.code));
  }
  if (results.length !== items.length) {
    caller.journal.breaks(`a batch of ${items.length} was answered with ${results.length} results`);
  }
}

async function append(caller: Caller): Promise<void> {
  const isAgain = caller.pools.chance.happens(0.2);
  const token = isAgain ? caller.pools.recorded.look() : caller.pools.unrecorded.take();
  if (token === undefined) return issue(caller, 'LEVEL_L2', {});
  try {
    const answer = await call<Recorded>(caller, `${AUTHORITY}/AppendLedger`, { token });
    keepRecorded(caller, 'AppendLedger', answer, !answer.duplicate);
    if (!isAgain) caller.pools.recorded.add(token);
  } catch (error) {
    // It may be there or not; asking again tells.
    if (!isAgain) caller.pools.unrecorded.add(token);
    throw error;
  }
}

async function offer(caller: Caller, token: string, requestId: string): Promise<void> {
  const offered = { token, audience: AUDIENCE, request_id: requestId };
  caller.journal.write({ kind: 'offered', ...offered });
  try {
    const verdict = await call<Verdict>(caller, `${AUTHORITY}/Verify`, offered);
    const { valid } = verdict;
    caller.journal.write({ kind: 'verdict', ...offered, valid, reason: reasonIn(verdict) });
    caller.pools.used.add({ token, requestId: valid && requestId !== '' ? requestId : undefined });
  } catch (error) {
    caller.pools.used.add({ token, requestId: undefined });
    throw error;
  }
}

async function verifyFresh(caller: Caller): Promise<void> {
  const token = caller.pools.fresh.take();
  if (token === undefined) return issue(caller, 'LEVEL_L2', {});
  return offer(caller, token, caller.pools.chance.happens(0.8) ? randomUUID() : '');
}

/** The same token again: under another name, or as the repetition of the call that was accepted. */
async function verifyAgain(caller: Caller): Promise<void> {
  const use = caller.pools.used.look();
  if (use === undefined) return verifyFresh(caller);
  const repeats = use.requestId !== undefined && caller.pools.chance.happens(0.3);
  return offer(caller, use.token, repeats ? (use.requestId ?? '') : randomUUID());
}

async function getEntry(caller: Caller, byName = caller.pools.chance.happens(0.5)): Promise<void> {
  const { pools } = caller;
  const task = byName ? pools.tasks.look() : undefined;
  if (task === undefined && pools.size === 0) return;
  const request = task === undefined ? { index: String(pools.chance.below(pools.size)) } : { task };
  try {
    const answer = await call<Recorded>(caller, `${LEDGER}/GetEntry`, request);
    keepRecorded(caller, 'GetEntry', answer);
  } catch (error) {
    if (error instanceof CallError && ['ENTRY_NOT_FOUND', 'INDEX_OUT_OF_RANGE'].includes(error.reason)) {
      caller.journal.breaks(`the acknowledged entry ${JSON.stringify(request)} is not found`);
    }
    throw error;
  }
}

async function getCheckpoint(caller: Caller): Promise<void> {
  type Answer = { readonly checkpoint: string; readonly tree_size: string };
  const { checkpoint, tree_size: size } = await call<Answer>(caller, `${LEDGER}/GetCheckpoint`, {});
  caller.journal.write({ kind: 'checkpoint', checkpoint });
  caller.pools.size = Math.max(caller.pools.size, Number(size));
}

async function proveInclusion(caller: Caller): Promise<void> {
  const size = caller.pools.size === 0 ? 0 : caller.pools.chance.between(1, caller.pools.size);
  if (size === 0) return;
  const index = caller.pools.chance.below(size);
  const request = { leaf_index: String(index), tree_size: String(size) };
  const { hashes } = await call<{ hashes: readonly Buffer[] }>(caller, `${LEDGER}/GetInclusionProof`, request);
  caller.journal.write({ kind: 'inclusion', index, size, hashes: hashes.map((hash) => hash.toString('base64')) });
}

async function proveConsistency(caller: Caller): Promise<void> {
  if (caller.pools.size === 0) return;
  const second = caller.pools.chance.between(1, caller.pools.size);
  const first = caller.pools.chance.between(1, second);
  const request = { first_tree_size: String(first), second_tree_size: String(second) };
  const { hashes } = await call<{ hashes: readonly Buffer[] }>(caller, `${LEDGER}/GetConsistencyProof`, request);
  caller.journal.write({ kind: 'consistency', first, second, hashes: hashes.map((hash) => hash.toString('base64')) });
}

/** Reads entries by their indexes, each with its receipt. */
export async function getSome(caller: Caller, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await getEntry(caller, false);
}

/** Reads every entry; a page that cannot be read ends it. */
export async function listAll(caller: Caller): Promise<void> {
  let page_token = '';
  do {
    const request = { page_size: 500, page_token, with_content: true };
    const page = await call<Page>(caller, `${LEDGER}/ListEntries`, request);
    for (const entry of page.entries) keepListed(caller, entry);
    page_token = page.next_page_token;
  } while (page_token !== '');
}

/** One of everything that has to work on a service that nothing is wrong with. */
export async function tryEverything(caller: Caller): Promise<void> {
  await issue(caller, 'LEVEL_L3', {});
  await append(caller);
  await verifyFresh(caller);
  await issueKeyed(caller);
  await getCheckpoint(caller);
  await proveInclusion(caller);
  await proveConsistency(caller);
}

/** How often each is done, out of the sum. */
const OPERATIONS: readonly (readonly [number, Operation])[] = [
  [18, (caller) => issue(caller, 'LEVEL_L2', {})],
  [12, (caller) => issue(caller, 'LEVEL_L3', { wid: caller.pools.chance.pick(WORKFLOWS) })],
  [8, issueChild],
  [2, (caller) => issue(caller, 'LEVEL_L1', {})],
  [8, issueKeyed],
  [5, issueBatch],
  [16, append],
  [14, verifyFresh],
  [12, verifyAgain],
  [5, (caller) => getEntry(caller)],
  [5, getCheckpoint],
  [4, proveInclusion],
  [4, proveConsistency],
];
const SUM = OPERATIONS.reduce((sum, [share]) => sum + share, 0);

/** Does something. CallError where that failed, which is written down. */
export async function doSomething(caller: Caller): Promise<void> {
  let left = caller.pools.chance.below(SUM);
  for (const [share, operation] of OPERATIONS) {
    left -= share;
    if (left < 0) {
      await operation(caller);
      return;
    }
  }
}
