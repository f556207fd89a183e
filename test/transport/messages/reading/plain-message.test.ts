// Which requests are built without the generated codec. That both build the same is in differential.test.ts.

import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import {
  AppendLedgerRequestSchema,
  BatchVerifyRequestSchema,
  IssueRequestSchema,
  VerifyRequestSchema,
} from '../../../../src/gen/ect/v1/authority_pb.ts';
import { buildPlain } from '../../../../src/transport/messages/reading/plain-message.ts';

const HASH = 'A'.repeat(43);

function bytesOf<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Buffer {
  return Buffer.from(toBinary(desc, create(desc, init)));
}

const issue = (init: MessageInitShape<typeof IssueRequestSchema>) => bytesOf(IssueRequestSchema, init);

describe('a plain request is built as the generated codec builds it', () => {
  test.each<[string, DescMessage, Buffer]>([
    ['of no fields', IssueRequestSchema, issue({})],
    [
      'of text, lists, groups and enums',
      IssueRequestSchema,
      issue({
        execAct: 'review',
        aud: ['urn:a', 'urn:b'],
        pred: [],
        level: 3,
        ttl: { seconds: 600n },
        inputBinding: { case: 'inpHash', value: HASH },
        outputBinding: { case: 'output', value: Uint8Array.of(0, 255) },
        dryRun: true,
      }),
    ],
    ['with a long token', VerifyRequestSchema, bytesOf(VerifyRequestSchema, { token: 'e'.repeat(20_000) })],
    ['in one message', AppendLedgerRequestSchema, bytesOf(AppendLedgerRequestSchema, { token: 'a.b.c' })],
    [
      'of items',
      BatchVerifyRequestSchema,
      bytesOf(BatchVerifyRequestSchema, { items: [{ reference: '0', request: { token: 'a.b.c' } }, {}] }),
    ],
  ])('%s', (_, desc, bytes) => {
    const built = buildPlain(desc, bytes);
    expect(built).toEqual(fromBinary(desc, bytes));
    expect(Object.keys(built!)).toEqual(Object.keys(fromBinary(desc, bytes)));
  });

  test('and shares no list with another', () => {
    const one = buildPlain(IssueRequestSchema, issue({})) as { readonly aud: string[] };
    one.aud.push('urn:a');
    expect(buildPlain(IssueRequestSchema, issue({}))).toMatchObject({ aud: [] });
  });

  test('and what it does share with others cannot be changed', () => {
    const { extension } = buildPlain(IssueRequestSchema, issue({})) as { readonly extension: object };
    expect(Object.isFrozen(extension)).toBe(true);
  });
});

describe('a request is left to the generated codec', () => {
  const ttl = issue({ ttl: { seconds: 1n } });
  test.each<[string, Buffer]>([
    ['for text that is not ASCII', issue({ execAct: 'prüfen' })],
    ['for an extension object', issue({ extension: { case: 'ectExt', value: { a: 1 } } })],
    ['for a number of many bytes', issue({ ttl: { seconds: 2n ** 40n } })],
    ['for a number below zero', issue({ ttl: { nanos: -1 } })],
    ['for a field that the schema does not have', Buffer.concat([ttl, Buffer.from('fa7f00', 'hex')])],
    ['for a message that comes twice, and is merged', Buffer.concat([ttl, ttl])],
  ])('%s', (_, bytes) => {
    expect(buildPlain(IssueRequestSchema, bytes)).toBeUndefined();
  });

  test('for a Struct by itself', () => {
    expect(buildPlain(StructSchema, Buffer.alloc(0))).toBeUndefined();
  });
});
