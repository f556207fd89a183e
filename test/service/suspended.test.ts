// C2: the whole service in this process, on a machine that was suspended: monotonic time stood, the wall clock and the time since the
// machine started went on.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { startService } from '../../src/service/index.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { json, startCannedServer } from '../support/canned-server.ts';
import { issuerKey } from '../support/jwks.ts';
import { SOON } from '../support/soon.ts';

const DAY_MS = 86_400_000;

// No test can suspend its machine, so it fakes the clocks.
const suspended = vi.hoisted(() => ({ ms: 0 }));
vi.mock('node:os', async (load) => {
  const os = await load<typeof import('node:os')>();
  return { ...os, uptime: () => os.uptime() + suspended.ms / 1000 };
});

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }));
afterEach(() => void vi.useRealTimers());

const realMs = Date.now.bind(Date);

test('C2 keys of an issuer are fetched anew after a night, and not because somebody sets the wall clock', async () => {
  let [fetched, failed] = [0, 0];
  const { jwk } = issuerKey('one');
  await using issuer = await startCannedServer((response, request) => {
    if (request.url === '/jwks') {
      fetched++;
      json({ keys: [jwk] })(response, request);
    } else {
      failed++;
      response.writeHead(500).end();
    }
  });
  const folder = await mkdtemp(join(tmpdir(), 'ect-suspended-'));
  const trust = join(folder, 'trust.json');
  const fetch = { network: 'loopback', cooldown_seconds: 1 };
  const issuers = [
    { iss: issuer.url, jwks_uri: `${issuer.url}/jwks`, fetch },
    // Its failures show that the issuers are looked at.
    { iss: `${issuer.url}/down`, jwks_uri: `${issuer.url}/down`, fetch },
  ];
  await writeFile(trust, JSON.stringify({ issuers }));
  const settings = { ECT_STORE: 'memory', ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'silent', ECT_TRUST_FILE: trust };
  const service = await startService(readConfig(settings));
  const client = dial(new URL(service.url).host);
  onTestFinished(async () => {
    client[Symbol.dispose]();
    await service.stop(1_000);
    await rm(folder, { recursive: true, force: true });
  });
  const issue = () =>
    client.call('ect.v1.AuthorityService/Issue', { exec_act: 'review', aud: ['urn:example:reviewer'] }).then(
      () => 'OK',
      (error: unknown) => (error instanceof CallError ? error.reason : String(error)),
    );
  await expect.poll(() => fetched, SOON).toBe(1);

  vi.setSystemTime(realMs() + 365 * DAY_MS);
  await expect.poll(issue, SOON).toBe('CLOCK_UNTRUSTED');
  const before = failed;
  await expect.poll(() => failed, SOON).toBeGreaterThan(before + 1);
  vi.setSystemTime(realMs());
  await expect.poll(issue, SOON).toBe('OK');
  expect(fetched).toBe(1);

  suspended.ms = DAY_MS;
  vi.setSystemTime(realMs() + DAY_MS);
  await expect.poll(() => fetched, SOON).toBe(2);
  expect(await issue()).toBe('OK');
});
