// Answers are written as the generated codec writes them, and a long one does not hold the event loop.

import {
  create,
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { BatchVerifyResponseSchema, ValidateDAGResponseSchema } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { ListEntriesResponseSchema } from '../../../../src/gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema, file_google_rpc_error_details } from '../../../../src/gen/google/rpc/error_details_pb.ts';
import { parseStrictObject } from '../../../../src/token/index.ts';
import { writeMessage } from '../../../../src/transport/messages/writing/write-message.ts';

const registry = createRegistry(file_google_rpc_error_details);
const detail = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: 'TOKEN_EXPIRED', domain: 'ect-authority' }));

/** Results of which every third is an error; the others have claims whose extension is a list of lists. */
function verdicts(count: number, size = 3) {
  const ectExt = { a: Array.from({ length: size }, () => []) };
  return {
    results: Array.from({ length: count }, (_, i) => ({
      reference: `nº ${i}`,
      result:
        i % 3 === 0
          ? { case: 'error' as const, value: { code: 3, message: 'no', details: [detail] } }
          : {
              case: 'response' as const,
              value: { valid: true, claims: { jti: String(i), iat: { seconds: 5n }, ectExt } },
            },
    })),
  };
}

const page = (count: number) => ({
  entries: Array.from({ length: count }, (_, i) => ({ index: BigInt(i), leaf: Buffer.from([i]) })),
  nextPageToken: 'more',
});

const CASES: readonly (readonly [name: string, desc: DescMessage, message: object])[] = [
  0, 1, 16, 32, 33, 1000,
].flatMap((count) => [
  [`${count} verdicts`, BatchVerifyResponseSchema, verdicts(count)] as const,
  [`a page of ${count}`, ListEntriesResponseSchema, page(count)] as const,
  [
    `${count} roots, and as many violations`,
    ValidateDAGResponseSchema,
    {
      dagReport: { violations: Array.from({ length: count }, () => ({ finding: { reason: 28 } })) },
      roots: Array.from({ length: count }, (_, i) => ({ wid: 'w', jti: String(i) })),
    },
  ] as const,
]);

describe.each(CASES)('%s', (_, desc, message) => {
  test('are read as they were meant, from both forms', async () => {
    const meant = toBinary(desc, create(desc, message as never));
    const proto = await writeMessage(desc, 'proto', message as never);
    expect(toBinary(desc, fromBinary(desc, proto))).toEqual(meant);
    for (const alwaysEmitImplicit of [false, true]) {
      const json = await writeMessage(desc, 'json', message as never, { registry, alwaysEmitImplicit });
      expect(toBinary(desc, fromJsonString(desc, Buffer.from(json).toString(), { registry }))).toEqual(meant);
    }
  });

  test('have the members that the general codec writes, each once, with default values too', async () => {
    for (const alwaysEmitImplicit of [false, true]) {
      const options = { registry, alwaysEmitImplicit };
      const text = Buffer.from(await writeMessage(desc, 'json', message as never, options)).toString();
      expect(parseStrictObject(text).ok).toBe(true);
      expect(JSON.parse(text)).toEqual(toJson(desc, create(desc, message as never), options));
    }
  });
});

test('a short answer is written at once, a long one in slices that see that nobody waits', async () => {
  expect(writeMessage(BatchVerifyResponseSchema, 'proto', verdicts(32))).toBeInstanceOf(Uint8Array);
  const signal = AbortSignal.abort();
  const written = writeMessage(BatchVerifyResponseSchema, 'json', verdicts(1000, 500), { registry }, signal);
  await expect(written).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
});

test.each(['proto', 'json'] as const)(
  'H18: in %s the largest answer leaves the event loop to others',
  async (codec) => {
    const message = verdicts(1000, 1360);
    let longest = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 4 && longest > 50; tries++) {
      longest = 0;
      let last = now();
      let ticking = setImmediate(function tick() {
        longest = Math.max(longest, now() - last);
        last = now();
        ticking = setImmediate(tick);
      });
      await writeMessage(BatchVerifyResponseSchema, codec, message, { registry });
      longest = Math.max(longest, now() - last);
      clearImmediate(ticking);
    }
    console.info(`${codec}: at most ${longest.toFixed(1)} ms`);
    expect(longest).toBeLessThan(50);
  },
);

/** Time of the processor, in milliseconds: others work on the machine too. */
function now(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
