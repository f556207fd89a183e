// Mutual TLS in one line, for development.

import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leadsToRoot } from '../../src/callers/client-cas.ts';
import { tryReadLeaf } from '../../src/callers/svid.ts';
import { startService } from '../support/service-process.ts';
import { ect } from './run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-dev-ca-'));
});
afterAll(() => rm(folder, { recursive: true }));

const certificate = async (directory: string, name: string) =>
  new X509Certificate(await readFile(join(directory, `${name}.pem`)));

test('its certificates are X.509-SVIDs of the trust domain, below its CA', async () => {
  const directory = join(folder, 'named');
  const named = ['--trust-domain', 'example.org', '--workload', 'planner', '--workload', 'trader'];
  const { code, out } = await ect(['dev-ca', directory, ...named, '--json']);
  expect(code).toBe(0);
  const ids = ['spiffe://example.org/planner', 'spiffe://example.org/trader'];
  expect(JSON.parse(out)).toMatchObject({ server: 'spiffe://example.org/ect', workloads: ids });
  const ca = await certificate(directory, 'ca');
  expect(ca.ca).toBe(true);
  for (const name of ['planner', 'trader']) {
    const leaf = await certificate(directory, name);
    expect(tryReadLeaf(leaf.raw)).toMatchObject({ uris: [`spiffe://example.org/${name}`], signsOthers: false });
    expect(leadsToRoot(leaf, [ca], Date.now())).toBe(true);
    expect(leaf.validToDate.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    expect((await stat(join(directory, `${name}.key`))).mode & 0o777).toBe(0o600);
  }
  expect((await certificate(directory, 'server')).checkHost('localhost')).toBe('localhost');
  expect((await certificate(directory, 'server')).checkIP('127.0.0.1')).toBe('127.0.0.1');
});

test('the settings that it prints are all that a service and a workload need', async () => {
  const directory = join(folder, 'printed');
  const { out, err } = await ect(['dev-ca', directory]);
  expect(err).toContain('for development only');
  const settings = Object.fromEntries(
    [...out.matchAll(/(ECT_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
  const { ECT_TLS_CERT, ECT_TLS_KEY, ECT_TLS_CLIENT_CA } = settings;
  await using service = await startService({ ECT_TLS_CERT, ECT_TLS_KEY, ECT_TLS_CLIENT_CA, ECT_STORE: 'memory' });
  const client = ['--ca', settings['ECT_CA']!, '--cert', settings['ECT_CERT']!, '--cert-key', settings['ECT_KEY']!];
  const who = ['--url', service.url, '--server-id', settings['ECT_SERVER_ID']!];
  const issued = await ect(['issue', '--exec-act', 'a', '--aud', 'urn:example:b', ...client, ...who]);
  expect(issued.code).toBe(0);
  expect(issued.err).toMatch(/iss +spiffe:\/\/dev\.example\/agent-a\n/);
});

test('--out writes the settings once everything is made, and a failure leaves no file and no certificates', async () => {
  const out = join(folder, 'mesh.sh');
  expect(await ect(['dev-ca', join(folder, 'mesh'), '--out', out])).toMatchObject({ code: 0, out: '' });
  const written = await readFile(out, 'utf8');
  expect(written).toMatch(/^export ECT_TLS_CERT=/);
  const again = await ect(['dev-ca', join(folder, 'mesh-2'), '--out', out]);
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('file_exists')]);
  expect(await readFile(out, 'utf8')).toBe(written);
  expect(await readdir(folder)).not.toContain('mesh-2');
  expect((await ect(['dev-ca', join(folder, 'mesh'), '--out', join(folder, 'other.sh')])).code).toBe(1);
  expect(await readdir(folder)).not.toContain('other.sh');
});

test.each([
  ['127.0.0.1:9443', 'https://localhost:9443'],
  ['0.0.0.0:9443', 'https://localhost:9443'],
  ['ect.example:9443', 'https://ect.example:9443'],
])('of a service that listens on %s, ECT_URL is %s', async (listen, url) => {
  const { out } = await ect(['dev-ca', join(folder, `at-${listen}`), '--listen', listen]);
  expect(out).toContain(`export ECT_LISTEN=${listen}\n`);
  expect(out).toContain(`export ECT_URL=${url} `);
});

test.runIf(process.platform === 'linux')(
  'a directory that cannot be made is named, and no endless attempt',
  async () => {
    const { code, err } = await ect(['dev-ca', '/proc/ect/certs']);
    expect([code, err]).toEqual([1, expect.stringContaining('file_unwritable: /proc/ect/certs cannot be written')]);
  },
);

test('files that are there are not touched', async () => {
  const directory = join(folder, 'kept');
  await ect(['dev-ca', directory]);
  const before = await readFile(join(directory, 'ca.key'), 'utf8');
  const again = await ect(['dev-ca', directory]);
  expect(again.code).toBe(1);
  expect(again.err).toContain('file_exists');
  expect(await readFile(join(directory, 'ca.key'), 'utf8')).toBe(before);
  await writeFile(join(folder, 'file'), '');
  expect((await ect(['dev-ca', join(folder, 'file', 'below')])).err).toContain('file_unwritable');
});

test.each([
  ['a trust domain in capitals', ['--trust-domain', 'Example.org']],
  ['a workload that is no segment', ['--workload', 'a/b']],
  ['a workload of dots', ['--workload', '..']],
  ['the name of the CA', ['--workload', 'ca']],
  ['a workload twice', ['--workload', 'a', '--workload', 'a']],
])('%s is wrong usage, and nothing is made', async (_title, options) => {
  const { code } = await ect(['dev-ca', join(folder, 'wrong'), ...options]);
  expect(code).toBe(2);
  expect(await readdir(folder)).not.toContain('wrong');
});
