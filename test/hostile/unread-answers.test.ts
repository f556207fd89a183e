// Answers that nobody reads: memory is bounded over all connections, and who does not read is cut off.

import { describe } from 'vitest';
import { defineAttacks } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, NO_CERTIFICATE, PERMITTED } from './support/variants.ts';

const SINGLE = [CLEARTEXT, CERTIFICATE];

describe('H24 H8: answers over HTTP/2 that are not read', () => {
  defineAttacks([
    ...(['grpc', 'grpc-web', 'connect'] as const).map((form) => ({
      name: `a window of zero on 100 connections, ${form}`,
      attack: 'unread-answers',
      options: { form, reader: 'zero-window', connections: 100, streams: 10 },
      on: form === 'grpc' ? PERMITTED : SINGLE,
    })),
    {
      name: '16 KiB each 50 s on 100 connections, gRPC',
      attack: 'unread-answers',
      options: { form: 'grpc', reader: 'slow', connections: 100, streams: 10 },
      on: PERMITTED,
    },
    {
      name: '16 KiB each second on 100 connections, gRPC',
      attack: 'unread-answers',
      options: { form: 'grpc', reader: 'slow', everyMs: 1000, connections: 100, streams: 10 },
      on: SINGLE,
    },
    {
      name: 'a socket that is not read on 100 connections, gRPC',
      attack: 'unread-answers',
      options: { form: 'grpc', reader: 'socket', connections: 100, streams: 10 },
      on: SINGLE,
    },
    {
      name: 'a socket that is not read on 100 connections, Connect',
      attack: 'unread-answers',
      options: { form: 'connect', reader: 'socket', connections: 100, streams: 10 },
      on: SINGLE,
    },
  ]);
});

describe('H25: answers over HTTP/1.1 that are not read', () => {
  defineAttacks([
    {
      name: 'metrics asked for again and again on 100 connections',
      attack: 'http1-unread',
      options: { connections: 100, path: '/metrics' },
      on: [CLEARTEXT, NO_CERTIFICATE],
      quick: CLEARTEXT,
    },
    {
      name: 'the key set asked for again and again on 100 connections',
      attack: 'http1-unread',
      options: { connections: 100, path: '/.well-known/jwks.json' },
      on: [CLEARTEXT, NO_CERTIFICATE],
    },
    {
      name: 'pages of entries asked for again and again on 100 connections',
      attack: 'http1-unread',
      options: { connections: 100, path: '/ect.v1.LedgerService/ListEntries' },
      on: SINGLE,
    },
  ]);
});
