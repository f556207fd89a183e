// Calls that are cancelled while their entry waits for its commit, on the transports that go through the Connect router.

import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const PATH = '/ect.v1.AuthorityService/Issue';
const BODY = JSON.stringify({ exec_act: 'a', aud: ['urn:a'], level: 'LEVEL_L3' });
/** The router looks at it, and the fast path does not. */
const TYPE = 'application/json; charset=utf-8';
const CALLS = 60;

async function heldBytes(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^ect_limit_in_use\{[^}]*held_bytes[^}]*\} (\S+)$/m.exec(metrics)?.[1]);
}

test.each<[string, (url: string, afterMs: number) => Promise<void>]>([
  [
    'HTTP/2',
    async (url, afterMs) => {
      const session = connectHttp2(url);
      const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': TYPE });
      stream.on('error', () => {});
      stream.end(BODY);
      await pause(afterMs);
      stream.destroy();
      session.close();
      await once(session, 'close');
    },
  ],
  [
    'HTTP/1.1',
    async (url, afterMs) => {
      const { hostname, port, host } = new URL(url);
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(
        `POST ${PATH} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${TYPE}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
      );
      await pause(afterMs);
      socket.destroy();
    },
  ],
])('H14 H24 over %s leave nothing behind: what they held is free again', async (_, cancel) => {
  await using service = await startService({ ECT_LOG_LEVEL: 'warn' });
  for (let call = 0; call < CALLS; call++) await cancel(service.url, call % 6);
  await expect.poll(() => heldBytes(service.url), SOON).toBe(0);
  expect(service.events('bug')).toEqual([]);
});
