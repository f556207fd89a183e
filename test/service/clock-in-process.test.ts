// The whole service in this process, whose wall clock a test sets: what a jump does between two looks, and what is left of it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { startService } from '../../src/service/index.ts';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

// Nothing but the wall clock: it stands, while monotonic time goes on.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }));
afterEach(() => void vi.useRealTimers());

const realMs = Date.now.bind(Date);
const jump = (ms: number) => vi.setSystemTime(realMs() + ms);

async function start(store: 'sqlite' | 'memory') {
  const dataDir = await mkdtemp(join(tmpdir(), 'ect-in-process-'));
  const settings = { ECT_STORE: store, ECT_DATA_DIR: dataDir, ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'silent' };
  const service = await startService(readConfig(settings));
  const client = dial(new URL(service.url).host);
  onTestFinished(async () => {
    client[Symbol.dispose]();
    await service.stop(1_000);
    await rm(dataDir, { recursive: true, force: true });
  });
  return { service, client, dataDir };
}

const issue = (client: GrpcClient, more = {}) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [AUDIENCE], ...more });
const append = (client: GrpcClient, token: string) => client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
const verify = (client: GrpcClient, token: string) =>
  client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE });
const recordedAt = ({ receipt: { leaf } }: Recorded) =>
  (JSON.parse(leaf.toString()) as { recorded_at: number }).recorded_at;

test.each([
  ['sqlite', HOUR_MS],
  ['sqlite', YEAR_MS],
  ['memory', -HOUR_MS],
  ['memory', YEAR_MS],
] as const)(
  'C3 with a store in %s, a jump of %i ms is in no entry, whichever process comes first',
  async (store, ms) => {
    const { client, service } = await start(store);
    const untrusted = { code: 14, reason: 'CLOCK_UNTRUSTED' };
    const startMs = realMs();
    for (let round = 0; round < 3; round++) {
      jump(0);
      await expect
        .poll(
          () =>
            issue(client).then(
              () => true,
              () => false,
            ),
          SOON,
        )
        .toBe(true);
      const tokens = await Promise.all(Array.from({ length: 4 }, () => issue(client)));
      expect(await verify(client, tokens[0]!.token)).toMatchObject({ valid: true });
      jump(ms);
      // In the same second: the commit looks before the next look is due.
      const answers = await Promise.allSettled(tokens.map(({ token }) => append(client, token)));
      for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: untrusted });
      await expect(issue(client)).rejects.toMatchObject(untrusted);
      expect(await verify(client, tokens[0]!.token)).toMatchObject({
        valid: false,
        finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
      });
      expect(await verify(client, tokens[1]!.token)).toMatchObject({ valid: true });
      jump(0);
      // And again before the next look: what the commit sees right is right.
      for (const { token } of tokens) {
        const at = recordedAt(await append(client, token));
        expect(at).toBeGreaterThanOrEqual(startMs - 1_000);
        expect(at).toBeLessThanOrEqual(realMs() + 30_000);
      }
      expect(await verify(client, tokens[1]!.token)).toMatchObject({
        valid: false,
        finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
      });
    }
    expect(await service.snapshot()).toContainEqual(
      expect.objectContaining({ name: 'ect_clock_doubted', values: [expect.objectContaining({ value: 0 })] }),
    );
  },
);

test('C3 the trusted time is stored for the next process, but not while the wall clock is not trusted', async () => {
  const { client, dataDir } = await start('sqlite');
  const read = async () => JSON.parse(await readFile(join(dataDir, 'clock.json'), 'utf8')) as { believedMs: number };
  const before = await read();
  expect(Math.abs(before.believedMs - realMs())).toBeLessThan(5_000);
  jump(YEAR_MS);
  await expect
    .poll(
      () =>
        issue(client).then(
          () => true,
          () => false,
        ),
      SOON,
    )
    .toBe(false);
  expect(await read()).toEqual(before);
  jump(0);
  await expect.poll(async () => (await read()).believedMs, SOON).toBeGreaterThan(before.believedMs);
  expect(Math.abs((await read()).believedMs - realMs())).toBeLessThan(5_000);
});
