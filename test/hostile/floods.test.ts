// Calls in any number. Those of one caller leave the others their share; those that are public leave it to all callers.

import { describe } from 'vitest';
import { defineAttacks, type Row } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, IDENTIFIED, NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS } from './support/variants.ts';

const PUBLIC = [CLEARTEXT, NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS];

const eager = (flood: string, connections: number, atOnce: number): Row => ({
  name: `${flood} over ${connections} connections, ${atOnce} at once on each`,
  attack: 'flood',
  options: { flood, connections, atOnce },
  on: IDENTIFIED,
});

describe('H17: one caller that calls as fast as it can', () => {
  defineAttacks([
    { ...eager('Issue', 8, 50), quick: CERTIFICATE },
    eager('Issue', 100, 100),
    eager('BatchVerify', 8, 2),
    eager('BatchVerify', 100, 1),
    {
      name: 'Issue over Connect, 20 connections, 50 at once on each',
      attack: 'flood',
      options: { flood: 'Issue', connections: 20, atOnce: 50, type: 'application/proto' },
      on: IDENTIFIED,
    },
  ]);
});

describe('H27: one caller that writes as fast as it can', () => {
  defineAttacks([
    eager('Issue at level 3', 20, 50),
    eager('BatchIssue at level 3', 8, 1),
    eager('Issue with new request ids', 20, 50),
  ]);
});

describe('H29 H17: floods of what is public', () => {
  const cheap = (flood: string, more: object = {}): Row => ({
    name: `${flood} over 20 connections`,
    attack: 'flood',
    options: { flood, connections: 20, atOnce: 50, ...more },
    on: PUBLIC,
  });
  defineAttacks([
    { ...cheap('reflection'), quick: NO_CERTIFICATE },
    cheap('Health/Check'),
    { ...cheap('Health/Check', { type: 'application/proto' }), name: 'Health/Check over 20 connections, Connect' },
    cheap('an unknown method'),
    { ...cheap('Issue'), on: [NO_CERTIFICATE, NO_CERTIFICATE_TWO_WORKERS] },
    cheap('/.well-known/jwks.json'),
    cheap('/metrics'),
    cheap('/readyz'),
    cheap('/no/such/page'),
    ...['/metrics', '/.well-known/jwks.json', '/no/such/page'].map((path) => ({
      name: `${path} over 20 connections, HTTP/1.1`,
      attack: 'http1-flood',
      options: { path, connections: 20 },
      on: PUBLIC,
    })),
    {
      name: '/healthz over a new connection each, HTTP/1.1',
      attack: 'http1-flood',
      options: { path: '/healthz', connections: 10, keepsOpen: 0 },
      on: PUBLIC,
    },
  ]);
});
