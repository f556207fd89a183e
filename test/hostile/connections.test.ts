// Connections in any number, and peers that break or exhaust HTTP/2 on purpose.

import { describe } from 'vitest';
import { defineAttacks, type Row } from './support/attacks.ts';
import {
  CERTIFICATE,
  CLEARTEXT,
  NO_CERTIFICATE,
  NO_CERTIFICATE_TWO_WORKERS,
  type Variant,
} from './support/variants.ts';

const PUBLIC = [CLEARTEXT, NO_CERTIFICATE];

describe('H9 H8: connections that say nothing, or not enough', () => {
  const idle = (kind: string, connections: number, on: readonly Variant[], more: object = {}): Row => ({
    name: `${connections} connections: ${kind}`,
    attack: 'idle-connections',
    options: { kind, connections, ...more },
    on,
  });
  defineAttacks([
    { ...idle('silent', 2000, [...PUBLIC, NO_CERTIFICATE_TWO_WORKERS]), quick: CLEARTEXT },
    idle('greeted', 2000, PUBLIC),
    { ...idle('greeted', 2000, PUBLIC, { addresses: 200 }), name: '2000 connections from 200 addresses: greeted' },
    idle('half a TLS handshake', 2000, [NO_CERTIFICATE]),
    idle('half a preface', 1000, PUBLIC),
    idle('half the headers of HTTP/1.1', 1000, PUBLIC),
    { ...idle('greeted', 20, PUBLIC, { churns: 1 }), name: '20 connections: greeted, closed and opened again' },
  ]);
});

describe('H1 H2: calls that are reset', () => {
  const reset = (name: string, options: object): Row => ({
    name,
    attack: 'resets',
    options: { connections: 10, perSecond: 0, type: 'application/grpc', resets: 'at once', ...options },
    on: [CLEARTEXT, CERTIFICATE, NO_CERTIFICATE],
  });
  defineAttacks([
    { ...reset('at once, in bursts, gRPC', {}), quick: CLEARTEXT },
    reset('at once, in bursts, Connect', { type: 'application/proto' }),
    reset('after 2 ms, in bursts, gRPC', { resets: 'later' }),
    reset('25 a second on 20 connections, gRPC', { connections: 20, perSecond: 25, resets: 'later' }),
    reset('25 a second on 20 connections, Connect', {
      connections: 20,
      perSecond: 25,
      resets: 'later',
      type: 'application/proto',
    }),
  ]);
});

describe('H46: TLS records of one byte', () => {
  const records = (protocol: string): Row => ({
    name: `${protocol} in records of one byte on 10 connections`,
    attack: 'tiny-records',
    options: { protocol, connections: 10 },
    on: [NO_CERTIFICATE, CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS],
  });
  defineAttacks([records('h2'), records('http/1.1')]);
});

describe('H46: KeyUpdate, which no call ever hears of', () => {
  // Each has an address of its own: one that was blocked by the row before would attack nothing.
  let last = 0;
  const updates = (name: string, options: object): Row => ({
    name: `KeyUpdate ${name}`,
    attack: 'key-updates',
    options: { connections: 10, address: `127.3.0.${++last}`, ...options },
    on: [NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS],
  });
  defineAttacks([
    updates('on 10 connections', {}),
    updates('on 10 connections, each answered', { asks: 1 }),
    updates('on 10 connections, 20,000 of each at the same moment', { prepared: 20_000 }),
    updates('on 100 connections, 20,000 of each at the same moment', { prepared: 20_000, connections: 100 }),
  ]);
});

describe('H47: chains of certificates that are not trusted', () => {
  let last = 0;
  const chains = (name: string, options: object): Row => ({
    name: `chains of ${name}`,
    attack: 'certificate-chains',
    options: { bits: 16_384, connections: 4, address: `127.2.0.${++last}`, ...options },
    on: [NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS],
  });
  const together = (name: string, options: object) =>
    chains(`${name} on 100 connections at the same moment`, { connections: 100, waits: 1, ...options });
  defineAttacks([
    { ...chains('22 certificates', { certificates: 22 }), quick: NO_CERTIFICATE },
    chains('3 certificates', { certificates: 3 }),
    chains('10 certificates with keys of 4,096 bits', { certificates: 10, bits: 4_096 }),
    together('22 certificates', { certificates: 22 }),
    together('3 certificates', { certificates: 3 }),
    together('14 certificates and nothing after them', { certificates: 14, isSigned: 0 }),
  ]);
});

describe('H3 H4 H5 H6 H10 H32: floods of frames and headers', () => {
  const frames = [
    'SETTINGS',
    'PING',
    'PRIORITY',
    'unknown frames',
    'WINDOW_UPDATE',
    'empty DATA',
    'DATA of one byte',
    'CONTINUATION',
    'headers of many tiny fields',
    'headers of one byte a field',
    'metadata of 15 kB',
    'metadata of 100 kB',
    'a table that is filled anew',
    'paths of unknown methods',
  ];
  defineAttacks(
    frames.map((flood) => ({
      name: `${flood} on 10 connections`,
      attack: 'frame-floods',
      options: { flood, connections: 10 },
      on: PUBLIC,
    })),
  );
});
