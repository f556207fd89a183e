// Good requests over HTTP/1.1, pipelined and read, as fast as they are answered.

import { once } from 'node:events';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { openSocket } from '../attacker/socket.ts';
import { tally } from '../attacker/tally.ts';

const PIPELINED = 16;

/** Options: `path`, `connections`, `keepsOpen` (0: a new connection for each request). */
export const attack: Attack = async ({ target, options }) => {
  const { path, connections, keepsOpen = 1 } = options;
  const request = `GET ${path} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n\r\n`;
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const closed = () => once(socket, 'close').catch(() => undefined);
      let socket = await openSocket(target, 'http/1.1');
      while (!until.aborted) {
        if (socket.destroyed) return;
        const count = keepsOpen === 1 ? PIPELINED : 1;
        tally('requests', count);
        socket.write(request.repeat(count));
        await Promise.race([once(socket, 'data').catch(() => undefined), closed(), wait(5000, until)]);
        if (keepsOpen === 1) continue;
        socket.destroy();
        socket = await openSocket(target, 'http/1.1');
      }
      socket.destroy();
    });
};
