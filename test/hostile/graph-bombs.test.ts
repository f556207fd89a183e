// Small requests that name much of what is in the ledger, and requests whose caller has gone.

import { describe } from 'vitest';
import { defineAttacks } from './support/attacks.ts';
import { CERTIFICATE, CLEARTEXT, PERMITTED } from './support/variants.ts';

const SINGLE = [CLEARTEXT, CERTIFICATE];

describe('H23 H18: a small request that names much', () => {
  defineAttacks([
    {
      name: '100 tasks, each in 300 workflows, 100 times in one BatchIssue',
      attack: 'heavy-requests',
      options: { message: 'tasks of a hundred names', form: 'connect', connections: 1, scale: 300 },
      on: PERMITTED,
    },
    {
      name: '100 tasks, each in 30 workflows, 100 times in one BatchIssue',
      attack: 'heavy-requests',
      options: { message: 'tasks of a hundred names', form: 'connect', connections: 1, scale: 30 },
      on: SINGLE,
      quick: CLEARTEXT,
    },
  ]);
});

describe('H26 H18: work for callers that have gone', () => {
  const cancelled = { form: 'grpc', connections: 4, atOnce: 5, scale: 12 };
  defineAttacks([
    {
      name: 'Issue after the last task of a dense workflow, reset after 5 ms',
      attack: 'heavy-requests',
      options: { ...cancelled, message: 'the last task of a dense workflow', cancelAfterMs: 5, pauseMs: 100 },
      on: PERMITTED,
    },
    {
      name: 'ValidateDAG of a dense workflow, reset after 5 ms',
      attack: 'heavy-requests',
      options: { ...cancelled, message: 'a dense workflow', cancelAfterMs: 5, pauseMs: 100 },
      on: PERMITTED,
      quick: CERTIFICATE,
    },
    {
      name: 'ValidateDAG of a token of a dense workflow, reset at once',
      attack: 'heavy-requests',
      options: { ...cancelled, message: 'a dense token', cancelAfterMs: 0, pauseMs: 100 },
      on: PERMITTED,
    },
    {
      name: 'ValidateDAG of a dense workflow over Connect, reset after 5 ms',
      attack: 'heavy-requests',
      options: { ...cancelled, form: 'connect', message: 'a dense workflow', cancelAfterMs: 5, pauseMs: 100 },
      on: SINGLE,
    },
    {
      name: 'ValidateDAG of a dense workflow, waited for',
      attack: 'heavy-requests',
      options: { ...cancelled, message: 'a dense workflow' },
      on: [CERTIFICATE],
    },
  ]);
});

describe('H18: a graph as large as graphs may be', () => {
  defineAttacks([
    {
      name: 'ValidateDAG of 10,000 tasks, one after the other',
      attack: 'heavy-requests',
      options: { form: 'grpc', connections: 1, message: 'hundreds of tasks', scale: 100 },
      on: SINGLE,
      fineMs: 0,
    },
  ]);
});
