// Every unary method with its most expensive legal input: how long the event loop of the real service is held at most.

import { create, type DescMethodUnary, toBinary, toJsonString } from '@bufbuild/protobuf';
import { ConnectError, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { issueAll, type Order, recordDense } from './attacker/recorded-tasks.ts';
import { type CostlyRequest, costlyRequests, type Recorded, SERVICES } from './support/costly-requests.ts';
import { scrape } from './support/scrape.ts';
import type { Target } from './support/target.ts';

const MAX_HELD_MS = 50;
/** The sampler of the metric wakes up this often, so it sees this much where nothing is held. */
const RESOLUTION_MS = 10;
/** A pause that is not of the input, as of another program, is not in every try. */
const TRIES = 6;
const HOPELESS_MS = 200;
const CALL_MS = 10_000;
const LAYERS = 12;
const WIDTH = 40;

let service: ServiceProcess;
let target: Target;
let transports: Readonly<Record<string, Transport>>;
let requests: readonly CostlyRequest[];

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous', ECT_LOG_LEVEL: 'warn' });
  target = { host: '127.0.0.1', port: Number(new URL(service.url).port), tls: undefined, from: '127.0.0.1' };
  transports = {
    gRPC: createGrpcTransport({ baseUrl: service.url }),
    'Connect with JSON': createConnectTransport({ baseUrl: service.url, httpVersion: '1.1', useBinaryFormat: false }),
  };
  requests = costlyRequests(await recordAll());
});
afterAll(() => service[Symbol.asyncDispose]());

async function recordAll(): Promise<Recorded> {
  using client = dial(service.address);
  const { wid, last, lastLayer, token: lastToken } = await recordDense(client, LAYERS, WIDTH);
  const issue = (count: number, more: Order) =>
    issueAll(
      client,
      Array.from({ length: count }, () => more),
    );
  const smallTokens = await issue(1000, {});
  const largeTokens = await issue(600, { ect_ext_json: JSON.stringify({ note: 'x'.repeat(4_000) }) });
  const { tree_size } = await client.call<{ tree_size: string }>('ect.v1.LedgerService/GetCheckpoint', {});
  return { wid, lastLayer, last, lastToken, smallTokens, largeTokens, treeSize: BigInt(tree_size) };
}

/** The longest stretch in which nothing else ran, since the last look. */
async function heldMs(): Promise<number> {
  const metrics = await scrape(target, 60_000);
  return 1000 * metrics.sum('ect_event_loop_delay_seconds', 'quantile="1"') - RESOLUTION_MS;
}

/** Makes the call. A rejection is an answer too, but the message must be one that is taken. */
async function call(transport: Transport, method: DescMethodUnary, request: object): Promise<string> {
  try {
    await transport.unary(method, undefined, CALL_MS, undefined, request as never, undefined);
    return 'answered';
  } catch (error) {
    return `rejected: ${ConnectError.from(error).message.slice(0, 60)}`;
  }
}

describe('H18: no input of a method holds the event loop for more than 50 ms', () => {
  test('every unary method is measured', () => {
    const unary = SERVICES.flatMap(({ methods }) => methods.filter(({ methodKind }) => methodKind === 'unary'));
    expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(unary));
  });

  test('measured over gRPC and over Connect', async () => {
    const faults: string[] = [];
    for (const { name, method, request } of requests) {
      const message = create(method.input, request as Record<string, unknown>);
      const bytes = toBinary(method.input, message).length;
      for (const [way, transport] of Object.entries(transports)) {
        let least = Number.POSITIVE_INFINITY;
        let outcome = '';
        for (let tried = 0; tried < TRIES && least > MAX_HELD_MS && (tried === 0 || least < HOPELESS_MS); tried++) {
          await heldMs();
          outcome = await call(transport, method, request);
          least = Math.min(least, await heldMs());
        }
        const size = way === 'gRPC' ? bytes : toJsonString(method.input, message).length;
        const line = `${name}, ${way}: held ${least.toFixed(0)} ms (${size} bytes, ${outcome})`;
        console.info(`HELD ${line}`);
        if (least > MAX_HELD_MS) faults.push(line);
      }
    }
    expect(faults).toEqual([]);
    expect(service.events('bug')).toEqual([]);
  });
});
