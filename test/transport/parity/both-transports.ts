// Two servers over the same services: one serves plain unary gRPC by the unary fast path, the other serves everything by the
// Connect router. Whatever a caller or an operator can see of a call must be the same at both.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { expect, vi } from 'vitest';
import { anonymousCallers } from '../../../src/callers/identify.ts';
import type { AnyService } from '../../../src/calls/call.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { type RunningServer, startServer } from '../../../src/transport/server.ts';
import { SOON } from '../../support/soon.ts';
import { type Answer, exchange, type RawCall } from './raw-call.ts';

export type TransportName = 'lean' | 'connect' | 'node';
export const TRANSPORTS: readonly TransportName[] = ['lean', 'connect', 'node'];

/** One line of the log. */
export type Line = Readonly<Record<string, unknown>>;

/** One of the two servers. */
export interface Side {
  readonly transport: TransportName;
  readonly server: RunningServer;
  /** One session for the raw calls of a test file. */
  readonly session: http2.ClientHttp2Session;
  /** The events of calls so far, without times. */
  calls(): readonly Line[];
  /** What it called a fault of its own so far. */
  bugs(): readonly Line[];
}

export interface BothTransports extends AsyncDisposable {
  readonly lean: Side;
  readonly connect: Side;
  readonly node: Side;
  readonly both: readonly Side[];
  /** Every event so far was claimed by a test: no call has left a second one. */
  expectNoFurtherEvents(): Promise<void>;
  /** Claims the next events at both transports. */
  claimEvents(count: number): void;
}

/** What became of one call over one transport. */
export interface Seen {
  readonly answer: Answer;
  /** The events of the call. */
  readonly events: readonly Line[];
}

/** Starts both. `services` is asked once for each transport. */
export async function startBothTransports(
  services: (transport: TransportName) => readonly AnyService[],
): Promise<BothTransports> {
  const [lean, connect, node] = (await Promise.all(
    TRANSPORTS.map((transport) => start(transport, services(transport))),
  )) as [Started, Started, Started];
  const both = [lean.side, connect.side, node.side];
  let claimed = 0;
  return {
    lean: lean.side,
    connect: connect.side,
    node: node.side,
    both,
    claimEvents(count) {
      claimed += count;
    },
    async expectNoFurtherEvents() {
      await Promise.all(both.map(({ session }) => roundTrip(session)));
      expect(both.map(({ calls }) => calls().length)).toEqual(both.map(() => claimed));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([lean.stop(), connect.stop(), node.stop()]);
    },
  };
}

/** Makes the same call at both transports. They must agree on the answer and on the one event; answers what both said. */
export async function callBoth(transports: BothTransports, call: RawCall): Promise<Seen> {
  transports.claimEvents(1);
  const [lean, ...others] = (await Promise.all(transports.both.map((side) => observe(side, call)))) as [
    Seen,
    Seen,
    Seen,
  ];
  for (const other of others) expect(lean, 'every transport says the same').toEqual(other);
  expect(lean.events, 'one call, one event').toHaveLength(1);
  return lean;
}

/** Makes a call that ends with its answer, alone on this server, and answers everything there is to see of it. */
async function observe(side: Side, call: RawCall): Promise<Seen> {
  const before = side.calls().length;
  const answer = await exchange(side.session, call);
  return { answer, events: await eventsSince(side, before) };
}

/** The events since then: at least one, and all that came with it. */
export async function eventsSince(side: Side, before: number): Promise<readonly Line[]> {
  await vi.waitFor(() => expect(side.calls().length).toBeGreaterThan(before), SOON);
  await roundTrip(side.session);
  return side.calls().slice(before);
}

/** What was sent before has been read by the server, and what it answered has been read here. */
export async function roundTrip(session: http2.ClientHttp2Session): Promise<void> {
  await new Promise((resolve) => session.ping((_error, duration) => resolve(duration)));
}

interface Started {
  readonly side: Side;
  stop(): Promise<void>;
}

async function start(transport: TransportName, services: readonly AnyService[]): Promise<Started> {
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const events = createEvents({ level: 'debug', destination });
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    services,
    identify: anonymousCallers(),
    isAdministrator: () => true,
    events,
    jwks: () => '{"keys":[]}',
    ready: () => ({ ledger: true }),
    unaryFastPath: transport === 'lean',
    http2: transport === 'node' ? 'node' : 'engine',
  });
  const session = http2.connect(server.url);
  await once(session, 'connect');
  const named = (name: string) => lines.filter(({ event }) => event === name);
  return {
    side: {
      transport,
      server,
      session,
      calls: () => named('call').map(({ time: _time, durationMs: _duration, ...line }) => line),
      bugs: () => named('bug').map(({ time: _time, ...line }) => line),
    },
    async stop() {
      session.destroy();
      await server.drain(0);
      events.close();
    },
  };
}
