// The messages that cost most for their size. Some need tasks in the ledger, which are recorded first.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Target } from '../support/target.ts';
import { dialAs, record, recordDense, recordRows } from './recorded-tasks.ts';
import type { Message } from './requests.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const LARGEST = 4 * 1024 * 1024;
const AUD = ['urn:example:reviewer'];

/** A message by its name; `preparer` is a legal caller. */
export type MakeMessage = (preparer: Target, scale: number) => Message | Promise<Message>;

/** JSON of the largest size: a head, one text again and again, and a tail. */
function fill(head: string, piece: string, tail: string, bytes = LARGEST): string {
  return head + piece.repeat(Math.floor((bytes - head.length - tail.length - piece.length) / piece.length)) + tail;
}

/** A batch within all limits whose values take the most memory: objects, and numbers that need an object each. Its ratio in gzip is legal. */
function fullBatch(): string {
  const ectExt = `{"a":[${'{},'.repeat(250)}${'-0,'.repeat(1_080)}0]}`;
  const items = Array.from({ length: 1000 }, () => {
    // Without it, the batch would be more than 200 times as large as its compressed form.
    const reference = randomBytes(12).toString('base64url');
    return `{"reference":"${reference}","request":{"ectExt":${ectExt}}}`;
  });
  return `{"items":[${items.join(',')}]}`;
}

const NUMBERS = fill('{"items":[{"request":{"ectExt":{"a":[0', ',0', ']}}}]}');

export const MESSAGES: Readonly<Record<string, MakeMessage>> = {
  'gzip of numbers': () => ({ method: `${AUTHORITY}/BatchIssue`, content: NUMBERS, isCompressed: true }),
  'gzip of numbers for a read': () => ({
    method: `${AUTHORITY}/ValidateDAG`,
    content: fill('{"bundle":{"tokens":[""', ',""', ']}}'),
    isCompressed: true,
  }),
  'gzip of empty items': () => ({
    method: `${AUTHORITY}/BatchIssue`,
    content: Buffer.alloc(LARGEST, Buffer.from([0x0a, 0])),
    isCompressed: true,
  }),
  // 16 MiB that shrink to 16 KiB: four times what is allowed, so it has to be rejected while it grows.
  'gzip of too much': () => ({
    method: `${AUTHORITY}/BatchIssue`,
    content: Buffer.alloc(4 * LARGEST, Buffer.from([0x0a, 0])),
    isCompressed: true,
  }),
  'gzip of a full batch': () => ({ method: `${AUTHORITY}/BatchIssue`, content: fullBatch(), isCompressed: true }),
  'a full batch': () => ({ method: `${AUTHORITY}/BatchIssue`, content: fullBatch() }),
  numbers: () => ({ method: `${AUTHORITY}/BatchIssue`, content: NUMBERS }),
  'empty items': () => ({ method: `${AUTHORITY}/BatchVerify`, content: Buffer.alloc(LARGEST, Buffer.from([0x0a, 0])) }),
  'empty items in JSON': () => ({
    method: `${AUTHORITY}/BatchIssue`,
    content: fill('{"items":[{}', ',{}', ']}'),
  }),
  'empty audiences': () => ({
    method: `${AUTHORITY}/Issue`,
    content: Buffer.alloc(256 * 1024, Buffer.from([0x12, 0])),
  }),
  nesting: () => ({
    method: `${AUTHORITY}/Issue`,
    content: `{"ectExt":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_001)}`,
  }),
  'an unknown member of 70,000 characters': () => ({
    method: `${AUTHORITY}/Issue`,
    content: JSON.stringify({ execAct: 'review', aud: AUD, ['x'.repeat(70_000)]: 1 }),
  }),
  'an enum of 70,000 characters': () => ({
    method: `${AUTHORITY}/Issue`,
    content: JSON.stringify({ execAct: 'review', aud: AUD, level: 'x'.repeat(70_000) }),
  }),
  'a type of 70,000 characters': () => ({
    method: `${AUTHORITY}/Issue`,
    content: JSON.stringify({ execAct: 'review', aud: AUD, ttl: 'é\r\n'.repeat(23_000) }),
  }),
  'tasks of a hundred names': async (preparer, scale) => {
    using client = dialAs(preparer);
    const ids = Array.from({ length: 100 }, () => randomUUID());
    const workflows = Array.from({ length: scale }, () => randomUUID());
    await record(
      client,
      workflows.flatMap((wid) => ids.map((jti) => ({ jti, wid }))),
    );
    const request = { execAct: 'review', aud: AUD, pred: ids };
    return {
      method: `${AUTHORITY}/BatchIssue`,
      content: JSON.stringify({ items: Array.from({ length: 100 }, () => ({ request })) }),
    };
  },
  'the last task of a dense workflow': async (preparer, scale) => {
    using client = dialAs(preparer);
    const { wid, last } = await recordDense(client, scale, 40);
    return {
      method: `${AUTHORITY}/Issue`,
      content: JSON.stringify({ execAct: 'review', aud: AUD, wid, pred: [last] }),
    };
  },
  'a dense workflow': async (preparer, scale) => {
    using client = dialAs(preparer);
    const { wid } = await recordDense(client, scale, 40);
    return { method: `${AUTHORITY}/ValidateDAG`, content: JSON.stringify({ wid }) };
  },
  'hundreds of tasks': async (preparer, scale) => {
    using client = dialAs(preparer);
    const wid = await recordRows(client, scale);
    return { method: `${AUTHORITY}/ValidateDAG`, content: JSON.stringify({ wid }) };
  },
  'a dense token': async (preparer, scale) => {
    using client = dialAs(preparer);
    const { token } = await recordDense(client, scale, 40);
    return { method: `${AUTHORITY}/ValidateDAG`, content: JSON.stringify({ token }) };
  },
};
