// Public streams that thousands open and hold in silence: memory and listeners stay flat, and others are served.

import { describe } from 'vitest';
import { defineAttacks } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, EVERYWHERE, NO_CERTIFICATE } from './support/variants.ts';

const SINGLE = [CLEARTEXT, CERTIFICATE, NO_CERTIFICATE];

describe('H21 H7: public streams that are held', () => {
  defineAttacks([
    {
      name: '4,000 Health/Watch over 40 connections, gRPC',
      attack: 'held-streams',
      options: { stream: 'watch', protocol: 'grpc', connections: 40, streams: 100 },
      on: EVERYWHERE,
      quick: CLEARTEXT,
    },
    {
      name: '4,000 Health/Watch over 40 connections, gRPC-Web',
      attack: 'held-streams',
      options: { stream: 'watch', protocol: 'grpc-web', connections: 40, streams: 100 },
      on: SINGLE,
    },
    {
      name: '4,000 reflection streams over 40 connections, gRPC',
      attack: 'held-streams',
      options: { stream: 'reflection', protocol: 'grpc', connections: 40, streams: 100 },
      on: SINGLE,
    },
    {
      name: '1,000 Health/Watch over 1,000 connections, gRPC',
      attack: 'held-streams',
      options: { stream: 'watch', protocol: 'grpc', connections: 1000, streams: 1 },
      on: [NO_CERTIFICATE],
    },
  ]);
});
