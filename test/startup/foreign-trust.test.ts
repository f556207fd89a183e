import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openForeignIssuers } from '../../src/startup/foreign-trust.ts';
import { TrustedKeys } from '../../src/startup/trusted-keys.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { readTrust } from '../../src/trust/index.ts';
import { issuerKey } from '../support/jwks.ts';

test('C2 how old the keys of others are is measured by the clock that goes on while the machine is suspended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-foreign-trust-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [iss, path] = ['https://issuer.test', join(folder, 'jwks.json')];
  const { jwk } = issuerKey('one');
  writeFileSync(path, JSON.stringify({ keys: [jwk] }));
  const { issuers: named } = readTrust(JSON.stringify({ issuers: [{ iss, jwks_file: path }] }));
  const ring = new TrustedKeys();
  let steadyMs = 0;
  const events = createEvents({ level: 'silent' });
  onTestFinished(() => events.close());
  const issuers = openForeignIssuers(named, ring, events, { readBundle: undefined, steadyMs: () => steadyMs });
  onTestFinished(() => issuers.stop());
  issuers.look();
  await issuers.settled();
  expect(ring.keys.holds('one', iss)).toBe(true);
  // A key that was taken out meanwhile counts no more once the machine runs again.
  writeFileSync(path, JSON.stringify({ keys: [issuerKey('two').jwk] }));
  steadyMs += 86_400_000;
  issuers.look();
  await issuers.settled();
  expect([ring.keys.holds('one', iss), ring.keys.holds('two', iss)]).toEqual([false, true]);
});
