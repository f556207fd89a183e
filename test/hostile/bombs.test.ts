// Messages that are small, or legal in size, and cost much to unpack, to parse or to reject.

import { describe } from 'vitest';
import { defineAttacks, type Row } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, EVERYWHERE, NO_CERTIFICATE, type Variant } from './support/variants.ts';

const SINGLE = [CLEARTEXT, CERTIFICATE, NO_CERTIFICATE];

/** The ways of a message: every protocol, and both versions of HTTP. */
const WAYS = [
  { way: 'gRPC', form: 'grpc', version: 'h2' },
  { way: 'gRPC-Web', form: 'grpc-web', version: 'h2' },
  { way: 'Connect over HTTP/2', form: 'connect', version: 'h2' },
  { way: 'Connect over HTTP/1.1', form: 'connect', version: 'http/1.1' },
] as const;

function everyWay(message: string, quick?: Variant, quickWay: string = 'gRPC', pauseMs = 0): readonly Row[] {
  return WAYS.map(({ way, form, version }, at) => ({
    name: `${message}, ${way}`,
    attack: 'heavy-requests',
    options: { message, form, version, connections: 4, pauseMs },
    on: at === 0 ? EVERYWHERE : SINGLE,
    ...(way === quickWay && quick !== undefined ? { quick } : {}),
  }));
}

describe('H22 H11: compressed bombs', () => {
  defineAttacks([
    ...everyWay('gzip of numbers', NO_CERTIFICATE),
    ...everyWay('gzip of empty items'),
    ...everyWay('gzip of too much'),
    {
      name: 'gzip of numbers for a read, Connect GET',
      attack: 'heavy-requests',
      options: { message: 'gzip of numbers for a read', form: 'connect-get', version: 'h2', connections: 4 },
      on: SINGLE,
    },
    {
      name: 'gzip of numbers for a read, Connect GET over HTTP/1.1',
      attack: 'heavy-requests',
      options: { message: 'gzip of numbers for a read', form: 'connect-get', version: 'http/1.1', connections: 4 },
      on: SINGLE,
    },
  ]);
});

const MANY = { version: 'h2', connections: 100, atOnce: 4 };

describe('H22 H23: messages that are legal, and take many times their bytes when they are read', () => {
  defineAttacks([
    {
      name: 'gzip of a full batch over 100 connections, gRPC',
      attack: 'heavy-requests',
      options: { message: 'gzip of a full batch', form: 'grpc', ...MANY },
      on: SINGLE,
    },
    {
      name: 'gzip of a full batch over 100 connections, Connect over HTTP/1.1',
      attack: 'heavy-requests',
      options: { message: 'gzip of a full batch', form: 'connect', ...MANY, version: 'http/1.1' },
      on: SINGLE,
    },
    {
      name: 'a full batch over 100 connections, Connect over HTTP/1.1',
      attack: 'heavy-requests',
      options: { message: 'a full batch', form: 'connect', ...MANY, version: 'http/1.1' },
      on: SINGLE,
    },
    {
      name: 'a full batch over 100 connections, Connect over HTTP/2',
      attack: 'heavy-requests',
      options: { message: 'a full batch', form: 'connect', ...MANY },
      on: SINGLE,
    },
  ]);
});

describe('H22 H13 H18: bodies that are costly to parse', () => {
  defineAttacks([
    ...everyWay('empty items', CLEARTEXT),
    ...everyWay('empty items in JSON'),
    ...everyWay('numbers'),
    ...everyWay('empty audiences'),
    ...everyWay('nesting'),
  ]);
});

/** These are about what each of them does, not about their number. */
const BETWEEN_MS = 100;

describe('H28: input that is no bug of the service', () => {
  defineAttacks([
    ...everyWay('an unknown member of 70,000 characters', CLEARTEXT, 'Connect over HTTP/2', BETWEEN_MS),
    ...everyWay('an enum of 70,000 characters', undefined, '', BETWEEN_MS),
    ...everyWay('a type of 70,000 characters', undefined, '', BETWEEN_MS),
  ]);
});
