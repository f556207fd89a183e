// Requests are read as the general codec reads them, whatever their bytes are.

import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import {
  AuthorityService,
  BatchIssueRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
  VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import {
  EntrySchema,
  GetEntryRequestSchema,
  LedgerService,
  ListEntriesRequestSchema,
} from '../../src/gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { createMessageDecoder } from '../../src/rpc/decoder.ts';
import { fc } from '../support/random.ts';

/** What a decoder makes of bytes: a message, or that it is none. */
function outcomeOf(decode: () => object): object | 'invalid' {
  try {
    return decode();
  } catch {
    return 'invalid';
  }
}

/** Holds the two readings of some bytes against each other. Unknown fields are nothing that a procedure reads. */
function expectSame(type: DescMessage, decode: (bytes: Buffer) => object, bytes: Buffer): void {
  const general = outcomeOf(() => fromBinary(type, bytes, { readUnknownFields: false }));
  const { $unknown: _, ...ours } = outcomeOf(() => decode(bytes)) as { $unknown?: unknown };
  if (general === 'invalid') expect(outcomeOf(() => decode(bytes))).toBe('invalid');
  else expect(withoutUnknown(ours)).toEqual(withoutUnknown(general));
}

function withoutUnknown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUnknown);
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => name !== '$unknown');
  return Object.fromEntries(members.map(([name, member]) => [name, withoutUnknown(member)]));
}

function same(type: DescMessage, bytes: Uint8Array): void {
  expectSame(type, createMessageDecoder(type), Buffer.from(bytes));
}

const bytesOf = <T extends DescMessage>(type: T, message: MessageInitShape<T>) => toBinary(type, create(type, message));

const issueRequest = fc.record({
  execAct: fc.string({ unit: 'binary' }),
  aud: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
  pred: fc.array(fc.string(), { maxLength: 3 }),
  wid: fc.string({ maxLength: 300 }),
  ttl: fc.option(fc.record({ seconds: fc.bigInt({ min: -5n, max: 2n ** 60n }), nanos: fc.integer() }), {
    nil: undefined,
  }),
  inputBinding: fc.oneof(
    fc.constant({ case: undefined }),
    fc.record({ case: fc.constant('inpHash' as const), value: fc.string() }),
    fc.record({ case: fc.constant('input' as const), value: fc.uint8Array() }),
  ),
  extension: fc.oneof(
    fc.constant({ case: undefined }),
    fc.record({ case: fc.constant('ectExt' as const), value: fc.dictionary(fc.string(), fc.string()) }),
    fc.record({ case: fc.constant('ectExtJson' as const), value: fc.string() }),
  ),
  level: fc.constantFrom(0, 1, 2, 3, 99, -1),
  dryRun: fc.boolean(),
});
const batch = fc.array(fc.record({ reference: fc.string(), request: fc.option(issueRequest, { nil: undefined }) }));
const decodeBatch = createMessageDecoder(BatchIssueRequestSchema);

describe('a request', () => {
  test('of any content is read as the general codec reads it', () => {
    fc.assert(
      fc.property(batch, (items) => {
        const bytes = Buffer.from(bytesOf(BatchIssueRequestSchema, { items } as never));
        expectSame(BatchIssueRequestSchema, decodeBatch, bytes);
      }),
    );
  });

  test('whose bytes were changed, cut or repeated is read as the general codec reads it, or by neither', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.nat({ max: 255 }),
      kind: fc.constantFrom('set', 'cut', 'insert', 'twice'),
    });
    fc.assert(
      fc.property(batch, fc.array(change, { minLength: 1, maxLength: 4 }), (items, changes) => {
        let bytes = Buffer.from(bytesOf(BatchIssueRequestSchema, { items } as never));
        for (const { at, byte, kind } of changes) {
          const place = bytes.length === 0 ? 0 : at % bytes.length;
          const [head, tail] = [bytes.subarray(0, place), bytes.subarray(place)];
          if (kind === 'set') bytes = Buffer.concat([head, Buffer.of(byte), tail.subarray(1)]);
          else if (kind === 'cut') bytes = Buffer.from(head);
          else bytes = Buffer.concat(kind === 'insert' ? [head, Buffer.of(byte), tail] : [bytes, bytes]);
        }
        expectSame(BatchIssueRequestSchema, decodeBatch, bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('of random bytes is read as the general codec reads it, or by neither', () => {
    const decode = createMessageDecoder(IssueRequestSchema);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) =>
        expectSame(IssueRequestSchema, decode, Buffer.from(bytes)),
      ),
      { numRuns: 5000 },
    );
  });

  const nested = Buffer.from(bytesOf(IssueRequestSchema, { ttl: { seconds: 5n } }));
  const more = Buffer.from(bytesOf(IssueRequestSchema, { ttl: { nanos: 7 } }));
  const struct = toBinary(StructSchema, create(StructSchema, { fields: {} }));
  test.each<[string, Uint8Array]>([
    ['with a message in two parts', Buffer.concat([nested, more])],
    ['with a field twice', Buffer.from('0a01610a0162', 'hex')],
    ['with both arms of a oneof', Buffer.from('42016112024b00', 'hex')],
    ['with an unknown field', Buffer.from('fa070161', 'hex')],
    ['with an unknown field of 64 bits and a group', Buffer.from('f9070102030405060708fb07fc07', 'hex')],
    ['with a string that is no UTF-8', Buffer.from('0a02c328', 'hex')],
    ['with U+FFFD', bytesOf(IssueRequestSchema, { execAct: 'a\ufffdb' })],
    ['with a byte order mark', bytesOf(IssueRequestSchema, { execAct: '\ufeffa' })],
    ['with a number where a string should be', Buffer.from('0805', 'hex')],
    ['with a string where a number should be', Buffer.from('7a0161', 'hex')],
    ['with a tag of too many bytes', Buffer.from('8a80808080000161', 'hex')],
    ['with a tag of more bytes than it needs', Buffer.from('8a000161', 'hex')],
    ['with a length of more bytes than it needs', Buffer.from('0a818080000061', 'hex')],
    ['with a bool of 2', Buffer.from('880102', 'hex')],
    ['with a negative enum', bytesOf(IssueRequestSchema, { level: -1 as never })],
    ['with a Struct', Buffer.concat([Buffer.from([0x62, struct.length]), struct])],
    ['that ends in a length', Buffer.from('0a', 'hex')],
    ['whose string is longer than it', Buffer.from('0a0561', 'hex')],
    ['whose message is longer than it', Buffer.from('3a050805', 'hex')],
    ['whose inner message ends inside a field', Buffer.from('3a0208', 'hex')],
    ['that is empty', Buffer.alloc(0)],
  ])('%s', (_, bytes) => same(IssueRequestSchema, bytes));

  test('of every method is read as the general codec reads it when it is empty', () => {
    for (const { methods } of [AuthorityService, LedgerService, KeyService, AdminService]) {
      for (const { input } of methods) same(input, Buffer.alloc(0));
    }
  });

  test('with a field that may be absent, or a map, is left to the general codec', () => {
    const entry = createMessageDecoder(EntrySchema)(Buffer.alloc(0));
    expect(entry).toEqual(fromBinary(EntrySchema, Buffer.alloc(0)));
    same(EntrySchema, bytesOf(EntrySchema, { index: 0n } as never));
    same(ErrorInfoSchema, bytesOf(ErrorInfoSchema, { reason: 'R', metadata: { a: 'b' } }));
  });

  test('shares nothing with the next one', () => {
    const decode = createMessageDecoder(VerifyRequestSchema);
    const bytes = Buffer.from(bytesOf(VerifyRequestSchema, { token: 'a', predecessorTokens: ['p'] }));
    const [first, second] = [decode(bytes), decode(bytes)] as { predecessorTokens: string[] }[];
    expect(first!.predecessorTokens).not.toBe(second!.predecessorTokens);
    expect(Object.isFrozen((decode(Buffer.alloc(0)) as { predecessorTokens: string[] }).predecessorTokens)).toBe(true);
  });

  test('with an index in a choice, and with a list of enums, is read as the general codec reads it', () => {
    for (const index of [0n, 7n, -1n])
      same(GetEntryRequestSchema, bytesOf(GetEntryRequestSchema, { name: { case: 'index', value: index } }));
    same(
      ListEntriesRequestSchema,
      bytesOf(ListEntriesRequestSchema, { wid: 'w', kinds: [1, 4, 9 as never], pageSize: 5 }),
    );
  });

  test('with messages in a choice is read as the general codec reads it', () => {
    const bundle = bytesOf(ValidateDAGRequestSchema, { subject: { case: 'bundle', value: { tokens: ['a', 'b'] } } });
    const token = bytesOf(ValidateDAGRequestSchema, { subject: { case: 'token', value: 't' } });
    for (const parts of [[bundle], [token, bundle], [bundle, token], [bundle, bundle]]) {
      same(ValidateDAGRequestSchema, Buffer.concat(parts));
    }
  });
});
