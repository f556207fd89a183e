// A small request that names much: what is read for it grows with the names in it, and with nothing that others recorded.

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { issue } from '../../src/authority/index.ts';
import { asCandidate } from '../../src/authority/leaf.ts';
import type { LedgerRecord, Reach } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { anonymous, endless, issueFor, issueInput } from './support.ts';

/** Counts the records that look-ups answer. */
class CountingStore extends FaultyStore {
  records = 0;

  override lookUp = async (scope: string, names: readonly string[], reach: Reach) => {
    const found: readonly (LedgerRecord | undefined)[] = await this.inner.lookUp(scope, names, reach);
    this.records += found.filter((record) => record !== undefined).length;
    return found;
  };
}

test('H23: 100 predecessors whose names 300 workflows share cost 100 records a task, and a millisecond or two', async () => {
  const store = new CountingStore(new MemoryLedgerStore());
  const { context } = await makeAuthority(store);
  const names = Array.from({ length: 100 }, () => randomUUID());
  const { claims } = await issueFor(context);
  for (let workflow = 0; workflow < 300; workflow++) {
    const wid = randomUUID();
    await Promise.all(
      names.map((jti) => {
        const token = {
          claims: { ...claims, jti, wid } as unknown as typeof claims,
          kid: 'k',
          digest: Buffer.alloc(32),
        };
        return context.ledger.append(asCandidate('x', token, context.policy.graph, { depth: 1, predWids: undefined }));
      }),
    );
  }
  const run = () => issue(context, anonymous, issueInput({ pred: names }), endless);
  await run();
  store.records = 0;
  const before = process.threadCpuUsage();
  for (let round = 0; round < 50; round++)
    expect(await run()).toMatchObject({ dag: { status: 'complete', visited: 100 } });
  const { user, system } = process.threadCpuUsage(before);
  expect(store.records).toBe(50 * 100);
  // It was 160 ms each. Half a millisecond is usual; the rest is for a machine that is busy.
  expect((user + system) / 1000 / 50).toBeLessThan(15);
});
