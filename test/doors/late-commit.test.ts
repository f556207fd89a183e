// A deadline that passes while the ledger commits: the caller is told that it is too late, the entry stands.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  AppendLedgerRequestSchema,
  AppendLedgerResponseSchema,
  AuthorityService,
} from '../../src/gen/ect/v1/authority_pb.ts';
import type { CommitResult } from '../../src/ledger/index.ts';
import { authorityService } from '../../src/rpc/authority.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { issueFor } from '../authority/support.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { frame } from '../support/rpc-clients.ts';
import { SOON } from '../support/soon.ts';
import { exchange, GRPC } from './raw-call.ts';
import { DOORS, type DoorName, eventsSince, type Side, startTwoDoors, type TwoDoors } from './two-doors.ts';
import { reasonOf } from './willing-doors.ts';

/** A real store whose commits have happened, but answer only when they are let go. */
class SlowStore extends MemoryLedgerStore {
  readonly #held = Promise.withResolvers<void>();
  committed = 0;

  release(): void {
    this.#held.resolve();
  }

  override async commit(...args: Parameters<MemoryLedgerStore['commit']>): Promise<CommitResult> {
    const result = await super.commit(...args);
    this.committed++;
    await this.#held.promise;
    return result;
  }
}

const sides: Partial<Record<DoorName, TestAuthority & { readonly store: SlowStore }>> = {};
let doors: TwoDoors;

beforeAll(async () => {
  for (const door of DOORS) {
    const store = new SlowStore();
    sides[door] = { store, ...(await makeAuthority(store)) };
  }
  doors = await startTwoDoors((door) => [authorityService(sides[door]!.parts)]);
});
afterAll(() => doors[Symbol.asyncDispose]());

function append(side: Side, token: string, timeout: string) {
  const body = frame(toBinary(AppendLedgerRequestSchema, create(AppendLedgerRequestSchema, { token })));
  const path = `/${AuthorityService.typeName}/AppendLedger`;
  return exchange(side.session, { path, headers: { ...GRPC, 'grpc-timeout': timeout }, body: [body] });
}

test.each(['lean', 'connect'] as const)(
  'L16: at the %s door a deadline that passes during the commit is DEADLINE_EXCEEDED, and a retry finds the entry',
  async (door) => {
    const { parts, store } = sides[door]!;
    const side = doors[door];
    const { token } = await issueFor(parts);
    // Time enough for a busy machine to come to the commit.
    const late = append(side, token, '3S');
    await vi.waitFor(() => expect(store.committed).toBe(1), SOON);
    expect(reasonOf({ answer: await late, events: await eventsSince(side, 0) })).toBe('DEADLINE_EXCEEDED');
    store.release();
    const retry = await append(side, token, '10S');
    expect(retry.grpcStatus).toBe('0');
    const found = fromBinary(AppendLedgerResponseSchema, retry.body.subarray(5));
    expect(found).toMatchObject({
      duplicate: true,
      entry: { index: 0n, body: { value: { token } } },
      receipt: { proof: { value: { treeSize: 1n } } },
    });
    expect(parts.ledger.size).toBe(1);
    expect(side.bugs()).toEqual([]);
  },
);
