// Foreign issuers with their servers, as a service trusts them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect } from 'vitest';
import type { KeyRing } from '../../src/keys/index.ts';
import { TrustedKeys } from '../../src/startup/trusted-keys.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ForeignIssuers, readTrust } from '../../src/trust/index.ts';
import { type CannedServer, startCannedServer } from '../support/canned-server.ts';
import type { IssuerKey } from '../support/jwks.ts';
import { AUD, header, NOW, payload, policy } from '../support/tokens.ts';

export const folder = mkdtempSync(join(tmpdir(), 'ect-issuers-'));
const open: { stop(): void }[] = [];
const servers: CannedServer[] = [];
afterEach(async () => {
  for (const issuers of open.splice(0)) issuers.stop();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export const setOf = (...keys: readonly IssuerKey[]) => ({ keys: keys.map(({ jwk }) => jwk) });
export const loopback = { network: 'loopback', cooldown_seconds: 30 };

export async function serve(answer: CannedServer['answer']): Promise<CannedServer> {
  const server = await startCannedServer(answer);
  servers.push(server);
  return server;
}

/** The issuers of a trust file, with the ring that they fill and the events that they cause. */
export function openTrust(...entries: readonly object[]) {
  const state = { nowMs: 0 };
  const said: string[] = [];
  const { issuers, problems } = readTrust(JSON.stringify({ issuers: entries }));
  expect(problems).toEqual([]);
  const ring = new TrustedKeys(undefined, (iss) => foreign?.missed(iss));
  let foreign: ForeignIssuers | undefined;
  foreign = new ForeignIssuers(issuers, {
    nowMs: () => state.nowMs,
    onTokenKeys: (keys) => ring.replaceForeign(keys),
    events: {
      foreignKeysTaken: (iss, { problems: rejected }, isNews) => void said.push([iss, isNews, ...rejected].join(' ')),
      foreignKeysFailed: (iss, why) => void said.push(`${iss} failed: ${why}`),
      foreignKeysExpired: (iss) => void said.push(`${iss} expired`),
      foreignIssuerRemoved: (iss) => void said.push(`${iss} removed`),
    },
  });
  open.push(foreign);
  const issuersNow = foreign;
  const pass = async (ms: number) => {
    state.nowMs += ms;
    issuersNow.look();
    await issuersNow.settled();
  };
  return { foreign, ring: ring.keys, state, said, pass };
}

export function reasonFor(keys: KeyRing, token: string): string {
  const verdict = verifyToken(token, { now: NOW, audience: AUD, purpose: 'presented' }, policy, keys);
  return verdict.ok ? 'VALID' : verdict.rejection.reason;
}

/** A token in the name of `iss` by this key, of which the header may say more. */
export function tokenOf(key: IssuerKey, iss: string, members: object = {}): string {
  return key.jws({ ...payload, iss }, { typ: header.typ, ...members });
}
