// A stop does not wait for responses that are delayed because their connection has requests read in vain.

import { expect, test, vi } from 'vitest';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { workload } from '../support/callers.ts';
import { type RawAnswer, rawHttp1 } from '../support/rpc-clients.ts';
import { startTestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';
import { field } from './messages/reading/worst-cases.ts';

const MIB = 2 ** 20;
/** Shorter than the delay. */
const GRACE_MS = 1_500;

test('L17 H17: a response that is delayed as a penalty is sent when the service stops, and not cut off', async () => {
  const running = await startTestServer({
    services: [
      {
        descriptor: KeyService,
        access: 'callers',
        maxRequestBytes: { '*': 16 * MIB },
        // No response ever has room.
        answerBytes: { getKeySet: () => 3 * MIB },
        procedures: { getKeySet: () => ({}) },
      },
    ],
    identify: () => workload('spiffe://example.org/batches'),
    processLimits: { memory: { totalBytes: 96 * MIB, accountBytes: 18 * MIB } },
  });
  await using _ = running;
  const { url } = running.server;
  const request = {
    path: '/ect.v1.KeyService/GetKeySet',
    headers: { 'content-type': 'application/proto' },
    // An unknown field, which protobuf ignores. The first one uses up what may be read in vain at once; the second one is to be paid.
    body: field(100, Buffer.alloc(16 * MIB - 16)),
  };
  expect((await rawHttp1(url, request)).status).toBe(503);
  let answer: RawAnswer | undefined;
  const second = rawHttp1(url, request).then((received) => {
    answer = received;
  });
  await vi.waitUntil(() => running.calls().length === 2, SOON);
  expect(answer, 'it has been rejected, and its response waits').toBeUndefined();
  await running.server.drain(GRACE_MS);
  await second;
  expect(answer?.status).toBe(503);
  expect(running.lines.find(({ event }) => event === 'stopped')).toMatchObject({ cut: 0 });
});
