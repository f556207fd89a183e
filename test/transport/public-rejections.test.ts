// What a connection may ask of what is public when it asks without end.

import * as http2 from 'node:http2';
import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { rawStream } from '../support/rpc-clients.ts';
import { startTestServer } from '../support/rpc-server.ts';

test('H29: a connection that asks too much of what is public is soon read more slowly', async () => {
  await using flooded = await startTestServer();
  const session = http2.connect(flooded.server.url);
  const request = {
    path: '/ect.v1.KeyService/GetKeySet',
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
    body: Buffer.alloc(5),
  };
  const isSlowed = async () => /ect_limit_met_total\{limit="rejections"\} [1-9]/.test(await flooded.events.metrics());
  let rejected = 0;
  for (let round = 0; round < 200 && !(await isSlowed()); round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => rawStream(session, request)));
    rejected += answers.filter(({ headers }) => headers['grpc-status'] === String(Code.ResourceExhausted)).length;
  }
  expect(await isSlowed()).toBe(true);
  // An account may have a thousand calls rejected at once; of what is public a hundred, and what comes meanwhile.
  expect(rejected).toBeLessThan(500);
  session.destroy();
});
