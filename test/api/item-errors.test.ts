// A thousand errors of a batch share one answer, whose size is known before anything is done.

import { toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { DetailBudget } from '../../src/api/detail-budget.ts';
import { ERROR_BYTES, toItemStatus } from '../../src/api/item-errors.ts';
import { toStatus } from '../../src/calls/errors.ts';
import { EctError, type ErrorReason, REASONS, reject } from '../../src/errors.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { type Status, StatusSchema } from '../../src/gen/google/rpc/status_pb.ts';

const violationsIn = ({ details }: Status) =>
  details.map((any) => anyUnpack(any, BadRequestSchema)).find((found) => found !== undefined)?.fieldViolations ?? [];
const sizeOf = (status: Status) => toBinary(StatusSchema, status).length;

const many = new EctError({
  ...reject('REQUEST_INVALID', 'd'.repeat(500), { field: 'items[999].request.ttl' }),
  violations: Array.from({ length: 16 }, (_, at) => ({
    field: `items[999].request.aud[${at}]`,
    description: 'd'.repeat(100),
  })),
});

describe('H28: the error of an item', () => {
  test('says everything as long as the batch has room, and takes from it only what is beyond its own', () => {
    const room = new DetailBudget(10_000);
    expect(toItemStatus(many, room)).toEqual(toStatus(many));
    expect(10_000 - room.left).toBeGreaterThanOrEqual(sizeOf(toStatus(many)) - ERROR_BYTES);
    const small = new EctError(reject('REQUEST_INVALID', 'ttl is wrong.', { field: 'ttl' }));
    const left = room.left;
    expect(violationsIn(toItemStatus(small, room))).toHaveLength(1);
    expect(room.left).toBe(left);
  });

  test('names fewer fields where there is no room, the first ones', () => {
    const short = toItemStatus(many, new DetailBudget(0));
    const kept = violationsIn(short);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept).toEqual(violationsIn(toStatus(many)).slice(0, kept.length));
    expect(anyUnpack(short.details[0]!, ErrorInfoSchema)?.reason).toBe('REQUEST_INVALID');
  });

  test.each(Object.keys(REASONS) as ErrorReason[])('%s is never larger than what is reserved for it', (reason) => {
    const facts = Object.fromEntries(REASONS[reason].metadata.map((fact) => [fact, '字'.repeat(100)]));
    const violations = many.violations;
    for (const error of [
      new EctError({ reason, message: '字'.repeat(200), metadata: facts }),
      new EctError({ reason, message: 'm', metadata: {}, violations }),
    ]) {
      const status = toItemStatus(error, new DetailBudget(0));
      expect(anyUnpack(status.details[0]!, ErrorInfoSchema)?.reason).toBe(reason);
      // Facts are cut to 256 bytes each, and the reasons of items have one that is the caller's at most.
      expect(sizeOf(status)).toBeLessThanOrEqual(ERROR_BYTES + 256 * Math.max(0, REASONS[reason].metadata.length - 1));
      expect(status.message.isWellFormed()).toBe(true);
      expect(status.message).not.toContain('\uFFFD');
    }
  });
});
