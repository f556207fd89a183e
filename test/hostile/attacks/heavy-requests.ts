// Whole requests that are small for the work that they ask for: sent one after the other, or cancelled at once.

import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { MESSAGES } from '../attacker/messages.ts';
import { type Form, type WireRequest, writeRequest } from '../attacker/requests.ts';
import { openSocket } from '../attacker/socket.ts';
import { tally } from '../attacker/tally.ts';

const ANSWER_MS = 120_000;

/**
 * Options: `message` (a name of the table), `form`, `version` (`h2` or `http/1.1`), `connections`, `atOnce` on each,
 * `cancelAfterMs` (-1: never), `pauseMs` between two, `scale` of what is recorded before.
 */
export const attack: Attack = async ({ target, preparer, options }) => {
  const { message, form, version = 'h2', connections = 4, atOnce = 1 } = options;
  const { cancelAfterMs = -1, pauseMs = 0, scale = 1 } = options;
  const make = MESSAGES[String(message)];
  if (make === undefined) throw new TypeError(`there is no message ${message}`);
  const request = writeRequest(await make(preparer, Number(scale)), form as Form);
  const authority = `${target.host}:${target.port}`;

  async function overHttp2(until: AbortSignal): Promise<void> {
    const socket = await openSocket(target, 'h2');
    const session = connectHttp2(`${target.tls === undefined ? 'http' : 'https'}://${authority}`, {
      createConnection: () => socket,
    });
    session.on('error', () => undefined);
    const closed = once(session, 'close');
    await Promise.all(
      Array.from({ length: Number(atOnce) }, async () => {
        while (!until.aborted && !session.destroyed) {
          await Promise.race([sendOnce(session, request, Number(cancelAfterMs), until), closed]);
          await wait(Number(pauseMs), until);
        }
      }),
    );
    session.destroy();
  }

  async function overHttp1(until: AbortSignal): Promise<void> {
    const socket = await openSocket(target, 'http/1.1');
    const closed = once(socket, 'close').catch(() => undefined);
    const headers = { host: authority, ...request.headers, 'content-length': request.body.length };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
    const head = `${request.verb} ${request.path} HTTP/1.1\r\n${lines.join('')}\r\n`;
    while (!until.aborted && !socket.destroyed) {
      tally('requests');
      socket.write(Buffer.concat([Buffer.from(head), request.body]));
      // The next one follows the first bytes of this answer.
      await Promise.race([once(socket, 'data'), closed, wait(ANSWER_MS, until)]);
      await wait(Number(pauseMs), until);
    }
    socket.destroy();
  }

  return (until) => keepOpen(Number(connections), until, () => (version === 'h2' ? overHttp2 : overHttp1)(until));
};

async function sendOnce(
  session: ClientHttp2Session,
  { verb, path, headers, body }: WireRequest,
  cancelAfterMs: number,
  until: AbortSignal,
): Promise<void> {
  tally('requests');
  const stream = session.request({ ':method': verb, ':path': path, ...headers });
  stream.on('error', () => undefined);
  stream.on('response', (answer) => tally(`answers ${answer[':status']}/${String(answer['grpc-status'] ?? '')}`));
  const closed = once(stream, 'close').catch(() => undefined);
  stream.resume().end(body);
  if (cancelAfterMs >= 0) {
    await wait(cancelAfterMs, until);
    stream.close(8);
  }
  await Promise.race([closed, wait(ANSWER_MS, until)]);
}
