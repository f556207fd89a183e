// A deadline that passes while the ledger commits: the caller gets DEADLINE_EXCEEDED, the entry stands.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { authorityService } from '../../../src/api/authority.ts';
import {
  AppendLedgerRequestSchema,
  AppendLedgerResponseSchema,
  AuthorityService,
} from '../../../src/gen/ect/v1/authority_pb.ts';
import type { CommitResult } from '../../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../../src/stores/memory/index.ts';
import { issueFor } from '../../authority/support.ts';
import { makeAuthority, type TestAuthority } from '../../support/authority.ts';
import { frame } from '../../support/rpc-clients.ts';
import { SOON } from '../../support/soon.ts';
import {
  type BothTransports,
  eventsSince,
  type Side,
  startBothTransports,
  TRANSPORTS,
  type TransportName,
} from './both-transports.ts';
import { reasonOf } from './permissive-transports.ts';
import { exchange, GRPC } from './raw-call.ts';

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

const sides: Partial<Record<TransportName, TestAuthority & { readonly store: SlowStore }>> = {};
let transports: BothTransports;

beforeAll(async () => {
  for (const transport of TRANSPORTS) {
    const store = new SlowStore();
    sides[transport] = { store, ...(await makeAuthority(store)) };
  }
  transports = await startBothTransports((transport) => [authorityService(sides[transport]!.context)]);
});
afterAll(() => transports[Symbol.asyncDispose]());

function append(side: Side, token: string, timeout: string) {
  const body = frame(toBinary(AppendLedgerRequestSchema, create(AppendLedgerRequestSchema, { token })));
  const path = `/${AuthorityService.typeName}/AppendLedger`;
  return exchange(side.session, { path, headers: { ...GRPC, 'grpc-timeout': timeout }, body: [body] });
}

// At the same time: each waits for its deadline.
test.concurrent.each(['lean', 'connect'] as const)(
  'L16: over the %s transport a deadline that passes during the commit is DEADLINE_EXCEEDED, and a retry finds the entry',
  async (transport) => {
    const { context, store } = sides[transport]!;
    const side = transports[transport];
    const { token } = await issueFor(context);
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
    expect(context.ledger.size).toBe(1);
    expect(side.bugs()).toEqual([]);
  },
);
