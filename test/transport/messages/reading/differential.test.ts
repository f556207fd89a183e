// Requests are read as the generated codec reads them, or not at all, whatever their bytes are.

import { type DescMessage, fromBinary, fromJsonString, toBinary, toJsonString } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EctError } from '../../../../src/errors.ts';
import { AdminService } from '../../../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../../../src/gen/ect/v1/ledger_pb.ts';
import { type Codec, readMessage } from '../../../../src/transport/messages/reading/read-message.ts';
import { scanWire } from '../../../../src/transport/messages/reading/scan-wire.ts';
import { rounds } from '../../../support/full.ts';
import { fc, SEED } from '../../../support/random.ts';
import { anyMessage } from './any-message.ts';

const REQUESTS: readonly DescMessage[] = [AuthorityService, LedgerService, KeyService, AdminService].flatMap(
  ({ methods }) => methods.map(({ input }) => input),
);
console.info(`seed ${SEED}`);

const write = (desc: DescMessage, codec: Codec, message: object): Buffer =>
  Buffer.from(codec === 'json' ? toJsonString(desc, message as never) : toBinary(desc, message as never));

function readByCodec(desc: DescMessage, codec: Codec, bytes: Buffer): object | undefined {
  try {
    if (codec === 'proto') return fromBinary(desc, bytes);
    return fromJsonString(desc, new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** A message without what does not count: unknown fields, and which kind of byte array it is. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name, member]) => name !== '$unknown' && member !== undefined);
  return members
    .map(([name, member]) => [name, plain(member)])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

const CHANGED = rounds(25_000, 2_000);

describe.each<Codec>(['proto', 'json'])('H13: in %s', (codec) => {
  test.each(REQUESTS.map((desc) => [desc.name, desc] as const))('any %s is read as it was meant', (_, desc) => {
    fc.assert(
      fc.property(anyMessage(desc), (message) => {
        const bytes = write(desc, codec, message);
        if (codec === 'proto') scanWire(desc, bytes);
        expect(plain(readMessage(desc, codec, bytes))).toEqual(plain(readByCodec(desc, codec, bytes)));
      }),
      { numRuns: 200 },
    );
  });

  test(`of ${CHANGED.toLocaleString('en')} requests that were changed none is read that the generated codec rejects, or otherwise`, () => {
    const counts = { read: 0, rejected: 0 };
    const request = fc
      .constantFrom(...REQUESTS)
      .chain((desc) => anyMessage(desc).map((message) => ({ desc, message })));
    const changes = fc.array(codec === 'json' ? textChange : byteChange, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(request, changes, ({ desc, message }, made) => {
        const bytes = made.reduce((before, change) => change(before), write(desc, codec, message));
        let ours: unknown;
        try {
          ours = readMessage(desc, codec, bytes);
        } catch (thrown) {
          if (!(thrown instanceof EctError) || thrown.reason === 'INTERNAL') throw thrown;
          counts.rejected++;
          return;
        }
        counts.read++;
        const general = readByCodec(desc, codec, bytes);
        if (general === undefined)
          throw new Error(`${desc.name} is read, but not by the codec: ${bytes.toString('hex')}`);
        expect(plain(ours)).toEqual(plain(general));
      }),
      { numRuns: CHANGED },
    );
    console.info(codec, counts);
    expect(Math.min(counts.read, counts.rejected)).toBeGreaterThan(CHANGED / 50);
  });
});

type Change = (bytes: Buffer) => Buffer;

const place = fc.nat(10_000);
const splice =
  (at: number, gone: number, added: Uint8Array): Change =>
  (bytes) => {
    const start = bytes.length === 0 ? 0 : at % bytes.length;
    return Buffer.concat([bytes.subarray(0, start), added, bytes.subarray(start + gone)]);
  };

const byteChange: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.nat(3), fc.uint8Array({ maxLength: 4 })).map(([at, gone, added]) => splice(at, gone, added)),
  place.map(
    (at): Change =>
      (bytes) =>
        bytes.subarray(0, bytes.length === 0 ? 0 : at % bytes.length),
  ),
  place.map(
    (at): Change =>
      (bytes) =>
        Buffer.concat([bytes, bytes.subarray(bytes.length === 0 ? 0 : at % bytes.length)]),
  ),
);

/** What may stand in JSON, in places where it may or may not. */
const PIECES =
  '{ } [ ] , : " \\ null true 1 -1 1.0 1e3 "" "x" {} [] "1" "0x1" " 1" "5s" "5sx" "QQ==" "QQ==QQ==" \\ud800 \\u0000'.split(
    ' ',
  );
const textChange: fc.Arbitrary<Change> = fc.oneof(
  byteChange,
  fc
    .tuple(place, fc.nat(4), fc.constantFrom(...PIECES))
    .map(([at, gone, added]) => splice(at, gone, Buffer.from(added))),
  // A value in place of another.
  fc.tuple(place, fc.constantFrom(...PIECES)).map(
    ([at, piece]): Change =>
      (bytes) => {
        const values = [...bytes.toString().matchAll(/(?<=:)("(?:[^"\\]|\\.)*"|[\w.-]+)/g)];
        const value = values[at % Math.max(values.length, 1)];
        if (value === undefined) return bytes;
        const whole = bytes.toString();
        return Buffer.from(whole.slice(0, value.index) + piece + whole.slice(value.index + value[0].length));
      },
  ),
);
