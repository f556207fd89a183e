// One service with an honest caller, on which attacks are made one after the other and measured.

import { setTimeout as pause } from 'node:timers/promises';
import { type ServiceProcess, startService } from '../../support/service-process.ts';
import { startChild } from './children.ts';
import { type HonestCall, type HonestCaller, startHonestCaller } from './honest-caller.ts';
import { collectGarbage, type ProcessSample, sampleProcess } from './process-samples.ts';
import { remainsOf, type State, stateOf } from './return-to-before.ts';
import type { AttackOptions, AttackOrder, Target } from './target.ts';
import { type Ground, prepareGround, type Variant } from './variants.ts';
import type { Measurement } from './verdict.ts';

/** How long things take, in seconds. */
export interface Durations {
  readonly baseline: number;
  readonly attack: number;
  /** After this at the latest everything must be as before. */
  readonly settle: number;
}

export interface Arena extends AsyncDisposable {
  measure(attack: string, options: AttackOptions, seconds: Durations): Promise<Measurement>;
}

/** The attackers' own address: what is limited by address falls on them alone. `HOSTILE_ADDRESS=127.0.0.1`: the address of all. */
const ATTACKER_ADDRESS = process.env['HOSTILE_ADDRESS'] ?? '127.0.0.2';
/** Until code is compiled and connections stand. */
const WARM_UP_MS = 2_000;
const SAMPLE_EVERY_MS = 100;
const COLLECT_ON_SIGNAL = `--import=${new URL('collect-on-signal.ts', import.meta.url).href}`;

type FromAttacker = { readonly word: 'ready' } | { readonly word: 'done'; readonly sent: Record<string, number> };

export async function openArena(variant: Variant): Promise<Arena> {
  await using stack = new AsyncDisposableStack();
  const ground = stack.use(prepareGround(variant));
  const service = stack.use(await startService({ ...ground.settings, NODE_OPTIONS: COLLECT_ON_SIGNAL }));
  const port = Number(new URL(service.url).port);
  const honestTarget: Target = { host: '127.0.0.1', port, tls: ground.honest, from: '127.0.0.1' };
  const honest = stack.use(startHonestCaller(honestTarget));
  await pause(WARM_UP_MS);
  const owned = stack.move();
  const side = { ground, service, honestTarget, honest };
  let undisturbed: readonly HonestCall[] | undefined;
  return {
    async measure(attack, options, seconds) {
      undisturbed ??= await waitAndSee(honest, seconds.baseline);
      return await measureAttack(side, undisturbed, { attack, options, seconds });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function waitAndSee(honest: HonestCaller, seconds: number): Promise<readonly HonestCall[]> {
  const from = Date.now();
  await pause(1000 * seconds);
  return await honest.callsBetween(from, Date.now());
}

interface Sides {
  readonly ground: Ground;
  readonly service: ServiceProcess;
  readonly honestTarget: Target;
  readonly honest: HonestCaller;
}

async function measureAttack(
  { ground, service, honestTarget, honest }: Sides,
  undisturbed: readonly HonestCall[],
  order: { readonly attack: string; readonly options: AttackOptions; readonly seconds: Durations },
): Promise<Measurement> {
  const from = { ...honestTarget, from: ATTACKER_ADDRESS };
  const attackerOrder: AttackOrder = {
    attack: order.attack,
    options: order.options,
    target: { ...from, tls: ground.attacker },
    preparer: { ...from, tls: ground.preparer },
  };
  await using attacker = startChild<FromAttacker>('attacker-child.ts', attackerOrder, { isPolite: true });
  await attacker.next((message) => message.word === 'ready');
  const before = await stateOf(service, honestTarget);
  const bugsBefore = service.events('bug').length;

  const began = Date.now();
  const first = await sampleProcess(service.pid);
  const samples: ProcessSample[] = [];
  attacker.send('go');
  while (Date.now() < began + 1000 * order.seconds.attack) {
    await pause(SAMPLE_EVERY_MS);
    const sample = await sampleProcess(service.pid);
    if (sample === undefined) break;
    samples.push(sample);
  }
  const finished = Date.now();
  const done = attacker.next((message) => message.word === 'done');
  attacker.send('stop');
  const { sent } = await done;
  await attacker[Symbol.asyncDispose]();

  const attacked = await honest.callsBetween(began, finished);
  const { remains, after } = await returned(service, honestTarget, before, order.seconds.settle);
  const last = samples.at(-1) ?? first;
  const ended = (await sampleProcess(service.pid)) === undefined ? service.stderr().slice(-500) : undefined;
  return {
    undisturbed,
    attacked,
    seconds: (finished - began) / 1000,
    maxRssBytes: Math.max(0, ...samples.map(({ rssBytes }) => rssBytes)),
    cpuSeconds: (last?.cpuSeconds ?? 0) - (first?.cpuSeconds ?? 0),
    writtenBytes: (last?.writtenBytes ?? 0) - (first?.writtenBytes ?? 0),
    loopDelayMs: after?.loopDelayMs ?? Number.NaN,
    internal: (after?.internal ?? 0) - before.internal,
    bugs: Math.max(service.events('bug').length - bugsBefore, (after?.bugs ?? 0) - before.bugs),
    ended,
    remains: ended === undefined ? remains : [],
    sent,
  };
}

/** Waits until everything is as it was. Answers what is not when the time is over, and the first state after the attack. */
async function returned(service: ServiceProcess, target: Target, before: State, seconds: number) {
  const until = Date.now() + 1000 * seconds;
  let after: State | undefined;
  for (;;) {
    const now = await stateOf(service, target).catch(() => undefined);
    // The delay of the event loop is since the last look, so that of the attack is in the first one.
    after = { ...(now ?? before), loopDelayMs: after?.loopDelayMs || (now?.loopDelayMs ?? 0) };
    const remains = now === undefined ? ['/metrics does not answer'] : remainsOf(before, now);
    if (remains.length === 0 || Date.now() > until) return { remains, after };
    // Its time counts for nobody: the attack is over, and the delay of the loop was seen before.
    await collectGarbage(service.pid);
    await pause(250);
    if ((await sampleProcess(service.pid)) === undefined) return { remains, after };
  }
}
