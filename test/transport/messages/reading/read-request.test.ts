// The memory of a large request in JSON is free as soon as it has been read.

import { describe, expect, test } from 'vitest';
import { EctError } from '../../../../src/errors.ts';
import { BatchIssueRequestSchema } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { SYNC_BYTES } from '../../../../src/transport/messages/reading/limits.ts';
import { readRequest } from '../../../../src/transport/messages/reading/read-request.ts';
import { write } from './outcomes.ts';

const ITEMS = Array.from({ length: 1000 }, (_, at) => ({
  reference: `item ${at}`,
  request: { execAct: 'é'.repeat(50) },
}));
const message = { items: ITEMS };

describe('H24: the bytes of a request', () => {
  test('in JSON are free without the garbage collector when it has been read, and not before', async () => {
    const bytes = write(BatchIssueRequestSchema, 'json', message);
    expect(bytes.length).toBeGreaterThan(SYNC_BYTES);
    const reading = readRequest(BatchIssueRequestSchema, 'json', bytes);
    expect(bytes.length).toBeGreaterThan(0);
    expect((await reading).items.map(({ reference }) => reference)).toEqual(ITEMS.map(({ reference }) => reference));
    expect(bytes.length).toBe(0);
  });

  test.each([
    ['that is not UTF-8', (bytes: Buffer) => bytes.fill(0xff, 100, 101)],
    ['that is not JSON', (bytes: Buffer) => bytes.fill('}', 100, 101)],
    ['with an item that is not JSON', (bytes: Buffer) => bytes.fill('x', bytes.length - 4, bytes.length - 3)],
  ])('in JSON %s are free when it has been rejected', async (_, damage) => {
    const bytes = damage(write(BatchIssueRequestSchema, 'json', message));
    await expect(readRequest(BatchIssueRequestSchema, 'json', bytes)).rejects.toBeInstanceOf(EctError);
    expect(bytes.length).toBe(0);
  });

  test('in JSON of a call that has ended are free', async () => {
    const bytes = write(BatchIssueRequestSchema, 'json', message);
    const reading = readRequest(BatchIssueRequestSchema, 'json', bytes, AbortSignal.abort());
    await expect(reading).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
    expect(bytes.length).toBe(0);
  });

  test('in protobuf stay, since the message may share their memory', async () => {
    const bytes = write(BatchIssueRequestSchema, 'proto', message);
    await readRequest(BatchIssueRequestSchema, 'proto', bytes);
    expect(bytes.length).toBeGreaterThan(0);
  });
});
