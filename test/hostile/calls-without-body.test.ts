// Calls that are opened and not finished: they are not load, over any protocol and from any caller.

import { describe } from 'vitest';
import { defineAttacks } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, EVERYWHERE, NO_CERTIFICATE } from './support/variants.ts';

const LARGEST = 4 * 1024 * 1024;
const ISSUE = '/ect.v1.AuthorityService/Issue';
const BATCH = '/ect.v1.AuthorityService/BatchIssue';
const REFLECT = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const SINGLE = [CLEARTEXT, CERTIFICATE, NO_CERTIFICATE];

describe('H20 H8: calls whose body never comes', () => {
  defineAttacks([
    {
      name: '85 on each of 4 connections, gRPC',
      attack: 'open-calls',
      options: { connections: 4, streams: 85, protocol: 'grpc' },
      on: EVERYWHERE,
      quick: NO_CERTIFICATE,
    },
    {
      name: '85 on each of 4 connections, gRPC-Web',
      attack: 'open-calls',
      options: { connections: 4, streams: 85, protocol: 'grpc-web' },
      on: SINGLE,
    },
    {
      name: '85 on each of 4 connections, Connect',
      attack: 'open-calls',
      options: { connections: 4, streams: 85, protocol: 'connect-json' },
      on: SINGLE,
    },
    {
      name: '100 on each of 40 connections, gRPC',
      attack: 'open-calls',
      options: { connections: 40, streams: 100, protocol: 'grpc' },
      on: SINGLE,
    },
    {
      name: '100 on each of 40 connections, Connect',
      attack: 'open-calls',
      options: { connections: 40, streams: 100, protocol: 'connect' },
      on: SINGLE,
    },
    {
      name: '340 over HTTP/1.1',
      attack: 'http1-open-posts',
      options: { connections: 340, path: ISSUE, bytes: 1000, sends: 'nothing' },
      on: SINGLE,
    },
  ]);
});

describe('H20 H24: bodies that are not finished', () => {
  defineAttacks([
    {
      name: 'a byte a second on 1,000 streams, gRPC',
      attack: 'unfinished-bodies',
      options: { connections: 50, streams: 20, protocol: 'grpc', path: ISSUE, bytes: 10_000, sends: 'trickle' },
      on: SINGLE,
    },
    {
      name: 'a byte a second on 1,000 streams, Connect',
      attack: 'unfinished-bodies',
      options: { connections: 50, streams: 20, protocol: 'connect-json', path: ISSUE, bytes: 10_000, sends: 'trickle' },
      on: SINGLE,
    },
    {
      name: 'a byte a second on 340 connections, HTTP/1.1',
      attack: 'http1-open-posts',
      options: { connections: 340, path: ISSUE, bytes: 10_000, sends: 'trickle' },
      on: SINGLE,
    },
    {
      name: 'all but one byte of 4 MiB on 160 streams, gRPC',
      attack: 'unfinished-bodies',
      options: { connections: 20, streams: 8, protocol: 'grpc', path: BATCH, bytes: LARGEST, sends: 'all-but-one' },
      on: SINGLE,
    },
    {
      name: 'all but one byte of 4 MiB on 160 streams, Connect',
      attack: 'unfinished-bodies',
      options: {
        connections: 20,
        streams: 8,
        protocol: 'connect-json',
        path: BATCH,
        bytes: LARGEST,
        sends: 'all-but-one',
      },
      on: SINGLE,
      quick: CLEARTEXT,
    },
    {
      name: 'all but one byte of 4 MiB on 80 streams of one connection, Connect',
      attack: 'unfinished-bodies',
      options: { connections: 1, streams: 80, protocol: 'connect', path: BATCH, bytes: LARGEST, sends: 'all-but-one' },
      on: SINGLE,
    },
    {
      name: 'all but one byte of 4 MiB on 160 connections, HTTP/1.1',
      attack: 'http1-open-posts',
      options: { connections: 160, path: BATCH, bytes: LARGEST, sends: 'all-but-one' },
      on: SINGLE,
    },
  ]);
});

/** The smallest DATA frames that are not counted as control frames. */
const SMALL = { protocol: 'grpc', sends: 'all-but-one', partBytes: 32 };

describe('H13 H24: bodies in parts of 32 bytes', () => {
  defineAttacks([
    {
      name: '4 MiB in parts of 32 bytes on 4 connections, gRPC with gzip',
      attack: 'unfinished-bodies',
      options: { ...SMALL, connections: 4, streams: 1, path: BATCH, bytes: LARGEST, encoding: 'gzip' },
      on: SINGLE,
      quick: CLEARTEXT,
    },
    {
      name: '4 MiB in parts of 32 bytes on 80 streams, gRPC with gzip',
      attack: 'unfinished-bodies',
      options: { ...SMALL, connections: 20, streams: 4, path: BATCH, bytes: LARGEST, encoding: 'gzip' },
      on: SINGLE,
    },
    {
      name: '4 MiB in parts of 32 bytes on 80 streams, gRPC',
      attack: 'unfinished-bodies',
      options: { ...SMALL, connections: 20, streams: 4, path: BATCH, bytes: LARGEST },
      on: SINGLE,
    },
    ...['/metrics', '/.well-known/jwks.json', '/no/such/page'].map((path) => ({
      name: `bodies for ${path} in parts of 32 bytes on 2,400 streams`,
      attack: 'unfinished-bodies',
      options: { ...SMALL, connections: 150, streams: 16, path, bytes: 65_000 },
      on: EVERYWHERE,
      ...(path === '/metrics' ? { quick: NO_CERTIFICATE } : {}),
    })),
    {
      name: 'empty messages in parts of 32 bytes on 512 reflection streams',
      attack: 'unfinished-bodies',
      options: { ...SMALL, connections: 32, streams: 16, path: REFLECT, bytes: 65_000, message: 'empty ones' },
      on: SINGLE,
    },
  ]);
});
