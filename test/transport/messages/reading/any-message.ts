// Random messages of any type, by its descriptor.

import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { fc } from '../../../support/random.ts';

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constant('__proto__'), fc.constant(''));

/** Messages of this type. */
export function anyMessage(desc: DescMessage): fc.Arbitrary<object> {
  return anyInit(desc).map((init) => create(desc, init as never));
}

function anyInit(desc: DescMessage): fc.Arbitrary<Record<string, unknown>> {
  switch (desc.typeName) {
    case 'google.protobuf.Duration':
      return fc.record({
        seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }),
        nanos: fc.constantFrom(0, 5, 500_000_000),
      });
    case 'google.protobuf.Timestamp':
      return fc.record({
        seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
        nanos: fc.constantFrom(0, 1_000_000),
      });
    default:
  }
  const fields = desc.fields.filter(({ oneof }) => oneof === undefined);
  const members = fields.map((field) => [field.localName, fc.option(anyField(field), { nil: undefined })] as const);
  const oneofs = desc.oneofs.map(({ localName, fields: choices }) => {
    const choice = choices.map((field) => anyField(field).map((value) => ({ case: field.localName, value })));
    return [localName, fc.oneof(fc.constant({ case: undefined }), ...choice)] as const;
  });
  return fc.record(Object.fromEntries([...members, ...oneofs]));
}

function anyField(field: DescField): fc.Arbitrary<unknown> {
  const value = anyValue(field);
  return field.fieldKind === 'list' ? fc.array(value, { maxLength: 4 }) : value;
}

function anyValue({ message, enum: names, scalar }: DescField): fc.Arbitrary<unknown> {
  if (message?.typeName === 'google.protobuf.Struct') return fc.dictionary(text, fc.jsonValue({ maxDepth: 3 }));
  if (message !== undefined) return anyInit(message);
  if (names !== undefined) return fc.constantFrom(...names.values.map(({ number }) => number), 99);
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 9 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.INT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    default:
      throw new TypeError(`no values for scalar type ${scalar}`);
  }
}
