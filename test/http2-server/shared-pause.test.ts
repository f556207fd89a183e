// Nothing is read from a connection for a while because of one of its streams; the others may belong to somebody else.

import { expect, test, vi } from 'vitest';
import { SOON } from '../support/soon.ts';
import { answered, begin, whole } from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

test('H48: a pause lasts no longer than the connection allows, so that other calls of it are served', async () => {
  await using server = await startServer({}, undefined, undefined, { mostPauseMs: () => 1 });
  using peer = await openPeer(server);
  peer.send(begin(1));
  await peer.settled();
  server.streams[0]!.throttle(600_000);
  peer.send(whole(3));
  await vi.waitFor(() => expect(answered(peer, 3)).toBe(true), SOON);
  expect(server.failures).toEqual([]);
});
