// Times and durations are read by one rule in every field of every request.

import { create, type DescMessage, type DescMethodUnary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { adminService } from '../../src/api/admin.ts';
import { authorityService } from '../../src/api/authority.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import { readBound, readDurationMs, readMillisecond, readSecond } from '../../src/api/times.ts';
import type { AnyService } from '../../src/calls/call.ts';
import type { EctError } from '../../src/errors.ts';
import type { KeyManager } from '../../src/key-manager/index.ts';
import { call, context, errorOf, fieldsIn } from './violated.ts';

// Requests are rejected before the key manager is asked.
const services: readonly AnyService[] = [
  authorityService(context),
  ledgerService(context),
  adminService(context, {} as KeyManager),
];

/** Each field of a request with a time or a duration, by its path. Those of the items of a batch are those of their single calls. */
function fieldsOf(desc: DescMessage, typeName: string) {
  return desc.fields.filter(({ message }) => message?.typeName === typeName);
}

function allFields(typeName: string) {
  return services.flatMap((service) =>
    (service.descriptor.methods as readonly DescMethodUnary[]).flatMap((method) =>
      fieldsOf(method.input, typeName).map((field) => ({ service, method, field })),
    ),
  );
}

const FIELDS = { 'google.protobuf.Timestamp': 5, 'google.protobuf.Duration': 2 };
const BEFORE_YEAR_1 = -62_135_596_801n;
const IN_YEAR_10000 = 253_402_300_800n;
const MALFORMED = {
  'google.protobuf.Timestamp': [
    { seconds: -(2n ** 62n), nanos: 0 },
    { seconds: 2n ** 62n, nanos: 0 },
    { seconds: BEFORE_YEAR_1, nanos: 0 },
    { seconds: IN_YEAR_10000, nanos: 0 },
    { seconds: 1000n, nanos: -5 },
    { seconds: 1000n, nanos: -999_999_999 },
    { seconds: 1000n, nanos: 1_000_000_000 },
    { seconds: 1000n, nanos: 2 ** 31 - 1 },
  ],
  'google.protobuf.Duration': [
    { seconds: 315_576_000_001n, nanos: 0 },
    { seconds: 2n ** 62n, nanos: 0 },
    { seconds: -1n, nanos: 0 },
    { seconds: 0n, nanos: -1 },
    { seconds: 1n, nanos: -1 },
    { seconds: 1n, nanos: 1_000_000_000 },
    { seconds: 1n, nanos: 2 ** 31 - 1 },
  ],
};

describe.each(Object.entries(FIELDS))('every %s of a request', (typeName, count) => {
  test('is one of these', () => {
    expect(allFields(typeName).length).toBe(count);
  });

  test.each(allFields(typeName).map((found) => [found.method.name, found.field.name, found] as const))(
    '%s.%s is rejected where it is none, and named',
    async (_method, name, { service, method, field }) => {
      for (const value of MALFORMED[typeName as keyof typeof MALFORMED]) {
        const request = create(method.input, { [field.localName]: value });
        const error = await errorOf(() => service.procedures[method.localName]?.(request as never, call));
        expect(error.reason).toMatch(/^(?:REQUEST|CLAIM)_INVALID$/);
        expect(
          fieldsIn(error),
          JSON.stringify(value, (_, part) => String(part)),
        ).toContain(name);
      }
    },
  );
});

describe('a moment', () => {
  const at = (seconds: bigint, nanos: number) => ({ $typeName: 'google.protobuf.Timestamp', seconds, nanos }) as const;

  test.each([
    [0n, 0, 0, 0],
    [1000n, 1, 1000, 1_000_000],
    [1000n, 999_999, 1000, 1_000_000],
    [1000n, 500_000_000, 1000, 1_000_500],
    [1000n, 999_999_999, 1000, 1_000_999],
  ])('of %s s and %s ns is rounded down', (seconds, nanos, second, ms) => {
    expect(readSecond('t', at(seconds, nanos))).toBe(second);
    expect(readMillisecond('t', at(seconds, nanos))).toBe(ms);
  });

  test('before 1970 is none', () => {
    const named = expect.objectContaining({ metadata: { field: 't' } }) as EctError;
    expect(() => readSecond('t', at(-1n, 0))).toThrow(named);
    expect(() => readMillisecond('t', at(-1n, 0))).toThrow(named);
  });

  test.each([
    [1n, 0, 1000],
    [1n, 1_000_000, 1001],
    [1n, 1_000_001, 1002],
    [-1n, 999_000_000, -1],
  ])('of %s s and %s ns as a bound separates milliseconds exactly', (seconds, nanos, expected) => {
    expect(readBound('t', at(seconds, nanos))).toBe(expected);
  });

  test('that is unset is none', () => {
    expect([readSecond, readMillisecond, readBound].map((read) => read('t', undefined))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(readDurationMs('d', undefined)).toBeUndefined();
  });
});
