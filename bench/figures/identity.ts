// What it costs an Issue on a warm connection to know who calls, and to ask a policy: over TLS in all of them, without client certificates,
// with them, and with a policy file too.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDevCa } from '../../src/callers/dev-certificates.ts';
import { startAuthority } from '../authority-process.ts';
import { type Bench, underSharedLoad } from '../contenders.ts';
import type { Server } from '../servers.ts';
import { interleave, pairedCost } from '../signature-batches.ts';
import type { TlsFiles } from '../tls.ts';
import type { Measure } from './plan.ts';

const NOBODY = 'ours, TLS, anonymous';
const KNOWN = 'ours, mutual TLS';
const ASKED = 'ours, mutual TLS, policy';
const LIMIT = 1.05;
const HOUR_MS = 3_600_000;
const POLICY = fileURLToPath(new URL('../../policy/default.cedar', import.meta.url));

export const measureIdentity: Measure = async (bench, plan) => {
  const { settings, caFile, certificate } = await writeCertificates(bench);
  const mutual = { ...settings, ECT_TLS_CLIENT_CA: caFile };
  await using nobody = await startAuthority(bench, { name: NOBODY, settings });
  await using known = await startAuthority(bench, { name: KNOWN, settings: mutual });
  const withPolicy = { ...mutual, ECT_POLICY_FILE: POLICY };
  await using asked = await startAuthority(bench, { name: ASKED, settings: withPolicy });
  const contend = ({ name, url, pid }: Server, tls: TlsFiles) =>
    underSharedLoad(bench, { name, servers: [{ url, pid }], tls }, 'issue-as-itself');
  const proving = { caFile, certificate };
  const contenders = [await contend(nobody, { caFile }), await contend(known, proving), await contend(asked, proving)];
  const sides = await interleave(contenders, plan.rounds);
  const goal = (side: string) =>
    ({
      text: `CPU of an Issue, ${side} ÷ ${NOBODY}`,
      against: NOBODY,
      value: pairedCost(sides, side, NOBODY),
      limit: LIMIT,
      kind: 'at most',
      unit: '×',
    }) as const;
  return {
    name: 'identity',
    title: 'Issue, identity and policy',
    unit: 'calls',
    sides,
    goals: [goal(KNOWN), goal(ASKED)],
    notes: [
      'All three over TLS, on connections that stay open. The policy is policy/default.cedar, the built-in rules as a file.',
    ],
  };
};

/** A CA, the service and one workload, in force for an hour. */
async function writeCertificates({ folder }: Bench) {
  const now = Date.now();
  const ca = createDevCa('bench CA', new Date(now - HOUR_MS), new Date(now + HOUR_MS));
  const place = join(folder, 'certificates');
  await mkdir(place);
  const keep = async (name: string, text: string) => {
    const path = join(place, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const server = ca.issue('ect', [{ uri: 'spiffe://bench.example/ect' }, { ip: Buffer.of(127, 0, 0, 1) }]);
  const workload = ca.issue('agent', [{ uri: 'spiffe://bench.example/agent' }]);
  return {
    caFile: await keep('ca.pem', ca.cert),
    settings: {
      ECT_TLS_CERT: await keep('server.pem', server.cert),
      ECT_TLS_KEY: await keep('server.key', server.key),
    },
    certificate: {
      certFile: await keep('agent.pem', workload.cert),
      keyFile: await keep('agent.key', workload.key),
    },
  };
}
