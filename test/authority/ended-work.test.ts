// Work whose caller has gone stops, and long work never holds the event loop: every procedure whose length a caller decides.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AuthorityContext, appendBatch, issue, markCompromised, validateDag } from '../../src/authority/index.ts';
import { asCandidate } from '../../src/authority/leaf.ts';
import { EctError, reject } from '../../src/errors.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { WID } from '../support/tokens.ts';
import { examineRecorded } from './examine-recorded.ts';
import { anonymous, endless, issueFor, issueInput, reasonOf } from './support.ts';

const TASKS = 6_000;
/** CPU of one thread, in milliseconds: what others on the machine do does not count. */
const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

let authority: TestAuthority;
let context: AuthorityContext;
let store: FaultyStore;
let last: string;
let lastToken: string;

beforeAll(async () => {
  store = new FaultyStore(new MemoryLedgerStore());
  authority = await makeAuthority(store);
  context = authority.context;
  // Written as the ledger writes them; to sign each would take longer than all the tests.
  const names = Array.from({ length: TASKS }, () => randomUUID());
  const { claims } = await issueFor(context, { wid: WID });
  await Promise.all(
    names.map((jti, at) => {
      const pred = names.slice(Math.max(0, at - 3), at);
      const token = {
        claims: { ...claims, jti, pred } as unknown as typeof claims,
        kid: 'k',
        digest: Buffer.alloc(32, at),
      };
      return context.ledger.append(
        asCandidate('x', token, context.policy.graph, { depth: at + 1, predWids: undefined }),
      );
    }),
  );
  last = names.at(-1)!;
  lastToken = (await issueFor(context, { wid: WID, pred: [last] })).token;
  // So that there is a past to look through.
  const subject = { kind: 'task', jti: randomUUID(), wid: WID } as const;
  await markCompromised(context, anonymous, { subject, note: '' }, endless.signal);
});

/** Reads of the store since the test began. */
function readsOf(): number {
  return ['lookUp', 'list', 'find', 'at', 'nodes'].reduce((sum, method) => sum + (store.calls.get(method) ?? 0), 0);
}

const forgetTaints = () =>
  markCompromised(
    context,
    anonymous,
    { subject: { kind: 'task', jti: randomUUID(), wid: WID }, note: '' },
    endless.signal,
  );

interface Work {
  readonly name: string;
  /** Reads that the whole work takes at least. */
  readonly wholeReads: number;
  run(until: { readonly signal: AbortSignal }): Promise<unknown>;
}

const works: readonly Work[] = [
  {
    name: 'ValidateDAG of a workflow, and GetWorkflow',
    wholeReads: TASKS / 100,
    run: (until) => examineRecorded(context, WID, until),
  },
  {
    name: 'ValidateDAG of a token with many ancestors',
    wholeReads: TASKS / 3,
    run: (until) => validateDag(context, { kind: 'token', token: lastToken, predecessors: [] }, until),
  },
  {
    name: 'Issue after a past that has to be looked through',
    wholeReads: TASKS / 3,
    run: (until) => issue(context, anonymous, issueInput({ wid: WID, pred: [last] }), until),
  },
];

describe.each(works)('$name', ({ wholeReads, run }) => {
  test('H26: stops within 50 ms of CPU once its call is over, and reads no more', async () => {
    await forgetTaints();
    const ending = new AbortController();
    const before = readsOf();
    const running = reasonOf(run(ending));
    await new Promise((resolve) => setImmediate(resolve));
    ending.abort(new EctError(reject('CALL_CANCELLED', 'the caller has cancelled the call')));
    const [atAbort, cpu] = [readsOf(), cpuMs()];
    const reason = await running;
    expect(cpuMs() - cpu).toBeLessThan(50);
    expect(reason).toBe('CALL_CANCELLED');
    const after = readsOf();
    expect(after - atAbort).toBeLessThan(20);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(readsOf()).toBe(after);
    expect(after - before).toBeLessThan(Math.max(20, wholeReads));
  });

  test('H18: holds the event loop for some milliseconds at a time', async () => {
    await forgetTaints();
    await run(endless);
    await forgetTaints();
    const held: number[] = [];
    let [isRunning, lastMs] = [true, cpuMs()];
    const turn = () => {
      held.push(cpuMs() - lastMs);
      lastMs = cpuMs();
      if (isRunning) setImmediate(turn);
    };
    setImmediate(turn);
    await run(endless);
    isRunning = false;
    console.log(`longest turn ${Math.max(...held).toFixed(1)} ms of CPU, ${held.length} turns`);
    expect(Math.max(...held)).toBeLessThan(50);
  });
});

test('H26: of a batch of appends nothing more is begun once its call is over', async () => {
  const { context: others } = await makeAuthority();
  const tokens = await Promise.all(
    Array.from({ length: 600 }, async () => (await issueFor(others, { wid: WID })).token),
  );
  const ending = new AbortController();
  const running = appendBatch(others, anonymous, tokens, ending.signal);
  await new Promise((resolve) => setImmediate(resolve));
  ending.abort(new EctError(reject('CALL_CANCELLED', 'the caller has cancelled the call')));
  await expect(running).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
  expect((await others.ledger.checkpoint()).size).toBeLessThan(300);
});

test('H18: a hundred long examinations at once take one slice a turn, not a hundred', async () => {
  const { context: others } = await makeAuthority();
  const tokens = await Promise.all(Array.from({ length: 40 }, async () => (await issueFor(others)).token));
  let [isRunning, turns] = [true, 0];
  const turn = () => {
    turns++;
    if (isRunning) setImmediate(turn);
  };
  setImmediate(turn);
  const subject = { kind: 'bundle', tokens } as const;
  await Promise.all(Array.from({ length: 100 }, () => validateDag(others, subject, endless)));
  isRunning = false;
  expect(turns).toBeGreaterThan(100);
});

test('H18: what waits for the place of a large examination leaves when its call is over', async () => {
  const ending = new AbortController();
  const first = [examineRecorded(context, WID, endless), examineRecorded(context, WID, endless)];
  const late = reasonOf(examineRecorded(context, WID, ending));
  for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve));
  ending.abort(new DOMException('too late', 'TimeoutError'));
  expect(await late).toBe('DEADLINE_EXCEEDED');
  expect(await Promise.all(first)).toMatchObject([{ size: TASKS }, { size: TASKS }]);
  expect(await examineRecorded(context, WID, endless)).toMatchObject({ size: TASKS });
});
