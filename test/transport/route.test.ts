// The route of an Issue, from the bytes of the socket to the signature, is the one that the design tells of.

import { readFile } from 'node:fs/promises';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { anonymousCallers } from '../../src/callers/identify.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { SignatureBatcher } from '../../src/keys/index.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { startServer } from '../../src/transport/server.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD } from '../support/tokens.ts';

/** Files from the socket to the signature and back. */
const MOST_FILES = 15;
/** A call that has to wait begins in a later turn of the event loop, with a stack that begins there. On a busy machine some do. */
const CALLS = 50;

/** Tells from where a signature is asked for. */
class WatchedBatcher extends SignatureBatcher {
  readonly stacks: string[] = [];

  override add<T>(work: () => T | Promise<T>): Promise<T> {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 100;
    this.stacks.push(new Error('asked for here').stack ?? '');
    Error.stackTraceLimit = stackTraceLimit;
    return super.add(work);
  }
}

test('an Issue that waits for nothing passes the files that the design names, in their order, and no others', async () => {
  const batcher = new WatchedBatcher();
  const { context } = await makeAuthority();
  const events = createEvents({ level: 'silent' });
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    services: [authorityService({ ...context, batcher })],
    identify: anonymousCallers(),
    events,
    jwks: () => '{"keys":[]}',
    ready: () => ({ ledger: true }),
  });
  const client = createClient(AuthorityService, createGrpcTransport({ baseUrl: server.url }));
  for (let calls = 0; calls < CALLS; calls++) await client.issue({ execAct: 'review', aud: [AUD] });
  await server.drain(0);
  events.close();

  const atOnce = batcher.stacks.find((stack) => !stack.includes('/limits/turn.ts')) ?? '';
  const passed = [...atOnce.matchAll(/\/src\/([\w/-]+\.ts)/g)].map(([, file]) => file!).reverse();
  const design = await readFile(new URL('../../docs/design.md', import.meta.url), 'utf8');
  const rows = [...design.matchAll(/^\| \d+ \| (?:`([\w/-]+\.ts)`|the `Signer`) \|/gm)].map(([, file]) => file);
  expect(rows.slice(0, -2)).toEqual([...new Set(passed)]);
  expect(rows.slice(-2)).toEqual(['keys/signature-batcher.ts', undefined]);
  // And two on the way back: the encoder, and what waits to be sent.
  expect(rows.length + 2).toBeLessThanOrEqual(MOST_FILES);
});
