// A service whose wall clock is set, and what is called on it before, during and after a jump.

import { status as codes } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { Issued, Recorded, Verdict } from '../interop/answers.ts';
import { CallError, type GrpcClient } from '../interop/grpc-js-client.ts';
import type { FakeWallClock } from '../support/fake-time.ts';
import { type ServiceProcess, type Settings, startService } from '../support/service-process.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
export const ADMIN = 'ect.v1.AdminService';
const AUDIENCE = 'urn:example:reviewer';
export const HOUR = 3600;
export const DAY = 24 * HOUR;
export const YEAR = 365 * DAY;
export const TIMEOUT_MS = 120_000;
/** What root keys sign, also in two tiers. */
export const DIRECT_ACT = 'execute_trade';
const SETTINGS: Settings = {
  ECT_ADMINS: 'anonymous',
  ECT_JWKS_MAX_AGE_SEC: '1',
  ECT_KEYS_REFRESH_SEC: '0.2',
};
export const TWO_TIERS: Settings = { ECT_SIGNING: 'two-tier', ECT_DIRECT_ACTS: DIRECT_ACT };

const order = { exec_act: 'review', aud: [AUDIENCE] };
export const issue = (client: GrpcClient, more = {}) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { ...order, ...more });
export const append = (client: GrpcClient, token: string) =>
  client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token });
export const verify = (client: GrpcClient, token: string, more = {}) =>
  client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE, ...more });
export const rotate = (client: GrpcClient, more = {}) => client.call(`${ADMIN}/RotateKey`, more);
const recordedAt = ({ receipt: { leaf } }: Recorded): number =>
  (JSON.parse(leaf.toString()) as { recorded_at: number }).recorded_at;
export const iatOf = ({ token }: Issued): number =>
  (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iat: number }).iat;

export async function rejectionOf(call: Promise<unknown>): Promise<CallError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CallError)) throw new Error('the call was expected to be rejected');
  return error;
}

export async function startAt(clock: FakeWallClock, settings: Settings = {}): Promise<ServiceProcess> {
  return startService({ ...SETTINGS, ...settings, ...clock.settings });
}

/** What the page says of the methods, health of Issue and of the whole instance, and the metric. */
export async function state({ url }: ServiceProcess, client: GrpcClient) {
  const page = await fetch(`${url}/readyz`);
  const { methods } = (await page.json()) as { methods: Record<string, boolean> };
  const check = async (service: string) =>
    (await client.call<{ status: string }>('grpc.health.v1.Health/Check', { service })).status;
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const doubted = /^ect_clock_doubted (\d)$/m.exec(metrics)?.[1];
  const served = [...new Set(Object.values(methods))];
  return [page.status, served, await check(''), await check(`${AUTHORITY}/Issue`), doubted];
}
export const WELL = [200, [true], 'SERVING', 'SERVING', '0'];
export const DOUBTED = [200, [false], 'SERVING', 'NOT_SERVING', '1'];

/** Nothing is dated: no token, no entry, no key. What is there is read, and verified as before. */
export async function expectNothingToBeDated(client: GrpcClient, { token }: Issued): Promise<void> {
  for (const call of [
    () => issue(client),
    () => issue(client, { level: 'LEVEL_L3' }),
    () => issue(client, { level: 'LEVEL_L1' }),
    () => append(client, token),
    () => rotate(client, { urgent: true }),
  ]) {
    const { code, reason, info, message } = await rejectionOf(call());
    expect([code, reason]).toEqual([codes.UNAVAILABLE, 'CLOCK_UNTRUSTED']);
    expect(info?.metadata['difference_seconds']).toMatch(/^-?\d+$/);
    expect(message).toMatch('The wall clock of the service is');
  }
  expect(await verify(client, token, { replay_mode: 'REPLAY_MODE_SKIP' })).toMatchObject({ valid: true });
  await client.call('ect.v1.LedgerService/GetCheckpoint', {});
}

/** Everything is dated, and by the real time. */
export async function expectEverythingToWork(client: GrpcClient): Promise<void> {
  const issued = await issue(client);
  expect(Math.abs(iatOf(issued) - Date.now() / 1000)).toBeLessThan(5);
  expect(await verify(client, issued.token)).toMatchObject({ valid: true });
  expect(Math.abs(recordedAt(await append(client, issued.token)) - Date.now())).toBeLessThan(5_000);
}
