import { expect, test } from 'vitest';
import { idleTiming } from '../src/kms-key.ts';

test('a key in KMS that signs tokens is tried as the signer likes; one that certifies keys, four times in the life of such a key', () => {
  expect(idleTiming({ signing: 'direct', delegatedHours: 1 })).toEqual({});
  expect(idleTiming({ signing: 'two-tier', delegatedHours: 1 })).toEqual({ idleMs: 15 * 60_000 });
  expect(idleTiming({ signing: 'two-tier', delegatedHours: 24 })).toEqual({ idleMs: 6 * 3_600_000 });
});
