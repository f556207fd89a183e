// A service in this process, whose watchers and calls come and go as often as in a day, in fast motion. Prints what is left.

import { once } from 'node:events';
import { connect } from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { anonymousCallers } from '../../src/callers/identify.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { startServer } from '../../src/transport/server.ts';

/** What grows when something is kept for each watcher, each look of one, or each call. */
export interface Left {
  readonly heapBytes: number;
  readonly resources: number;
  readonly listenersWarned: number;
}

const LOOK_EVERY_MS = 10;
const LOOKS = 3;
const ROUNDS = Number(process.argv[2]);
const WATCHERS = 50;
const CALLS = 100;
/** In the full run 864 looks of 100 watchers of 100 watchers are a day of one. */
const LOOKS_HELD = Math.max(200, ROUNDS);
const WATCH = {
  ':method': 'POST',
  ':path': '/grpc.health.v1.Health/Watch',
  'content-type': 'application/grpc',
  te: 'trailers',
};

let listenersWarned = 0;
process.on('warning', ({ name }) => {
  if (name === 'MaxListenersExceededWarning') listenersWarned++;
});

const events = createEvents({ level: 'silent' });
const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  services: [],
  identify: anonymousCallers(),
  events,
  jwks: () => '{"keys":[]}',
  ready: () => ({ ledger: true }),
  watchIntervalMs: LOOK_EVERY_MS,
});

/** Opens watchers, holds them for some looks, calls beside them, and closes everything. */
async function live(looks: number): Promise<void> {
  const session = connect(server.url);
  const watchers = Array.from({ length: WATCHERS }, () => session.request(WATCH).resume());
  for (const watcher of watchers) watcher.on('error', () => undefined).end(Buffer.alloc(5));
  for (let called = 0; called < CALLS; called++) {
    const call = session.request({ ...WATCH, ':path': '/grpc.health.v1.Health/Check' }).resume();
    await once(call.end(Buffer.alloc(5)), 'close');
  }
  await pause(looks * LOOK_EVERY_MS);
  for (const watcher of watchers) watcher.close(8);
  session.destroy();
  await once(session, 'close');
}

/** What there is once nobody is there any more. */
async function left(): Promise<Left> {
  await pause(200);
  globalThis.gc?.();
  await pause(50);
  globalThis.gc?.();
  return {
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().length,
    listenersWarned,
  };
}

async function heldGrowth(looks: number): Promise<number> {
  const session = connect(server.url);
  const watchers = Array.from({ length: WATCHERS }, () => session.request(WATCH).resume());
  for (const watcher of watchers) watcher.on('error', () => undefined).end(Buffer.alloc(5));
  await pause(500);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await pause(looks * LOOK_EVERY_MS);
  globalThis.gc?.();
  const grown = process.memoryUsage().heapUsed - before;
  session.destroy();
  await once(session, 'close');
  return grown;
}

for (let warm = 0; warm < 5; warm++) await live(LOOKS);
const before = await left();
for (let round = 0; round < ROUNDS; round++) await live(LOOKS);
const after = await left();
const held = await heldGrowth(LOOKS_HELD);
console.log(JSON.stringify({ before, after, heldGrowthBytes: held, watcherLooks: WATCHERS * LOOKS_HELD }));
await server.drain(0);
events.close();
process.exit(0);
