// The command line over mutual TLS, with certificates as an operator makes them.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Certificate, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

const ADMINISTRATOR = 'spiffe://example.com/ops/admin';
const WORKLOAD = 'spiffe://example.com/agent/a';
const SERVICE = 'spiffe://example.com/ect';

describeWith('openssl', 'over TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ect-tls-'));
  let service: ServiceProcess;
  let url: readonly string[];

  const pem = (name: string) => join(directory, name);
  const keep = (name: string, { cert, key }: Certificate) => {
    writeFileSync(pem(`${name}.pem`), cert);
    writeFileSync(pem(`${name}.key`), key, { mode: 0o600 });
  };

  beforeAll(async () => {
    using authority = createCertificateAuthority();
    writeFileSync(pem('ca.pem'), authority.cert);
    keep('server', authority.issue({ names: [{ ip: '127.0.0.1' }, { uri: SERVICE }] }));
    keep('agent', issueSvid(authority, WORKLOAD));
    keep('admin', issueSvid(authority, ADMINISTRATOR));
    service = await startService({
      ECT_TLS_CERT: pem('server.pem'),
      ECT_TLS_KEY: pem('server.key'),
      ECT_TLS_CLIENT_CA: pem('ca.pem'),
      ECT_ADMINS: ADMINISTRATOR,
    });
    url = ['--url', service.url];
  });

  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  const issue = (...options: string[]) => ect(['issue', '--exec-act', 'a', '--aud', WORKLOAD, ...options, ...url]);
  const asAgent = ['--ca', pem('ca.pem'), '--cert', pem('agent.pem'), '--cert-key', pem('agent.key')];

  test('a workload issues in its own name and verifies as itself', async () => {
    const { code, out, err } = await issue(...asAgent);
    expect(code).toBe(0);
    expect(err).toMatch(new RegExp(`iss +${WORKLOAD}\n`));
    expect((await ect(['verify', out.trim(), ...asAgent, ...url])).code).toBe(0);
  });

  test('a key of another certificate is wrong usage, and the options at fault are named', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(pem('other.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const { code, err } = await issue(...asAgent, '--cert-key', pem('other.key'));
    expect(code).toBe(2);
    expect(err).toBe(
      'error: --cert-key (ECT_KEY) is not the key of the certificate in --cert (ECT_CERT)\n`ect help issue` shows what it takes.\n',
    );
  });

  test('T27: it is rejected the name of another', async () => {
    const { code, err } = await issue(...asAgent, '--iss', 'spiffe://example.com/agent/b');
    expect(code).toBe(1);
    expect(err).toContain('✗ ISSUER_NOT_ALLOWED');
  });

  test('only an administrator marks what is compromised', async () => {
    const taint = (...who: string[]) => ect(['taint', '--kid', 'stolen', '--yes', ...who, ...url]);
    const rejected = await taint(...asAgent);
    expect(rejected.code).toBe(1);
    expect(rejected.err).toContain('✗ ADMIN_REQUIRED');
    expect(rejected.err).toContain('ECT_ADMINS');
    const asAdmin = ['--ca', pem('ca.pem'), '--cert', pem('admin.pem'), '--cert-key', pem('admin.key')];
    const { code, out } = await taint(...asAdmin);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`✓ marked\\n[^]*marked by +${ADMINISTRATOR}\\n`));
  });

  test('a service whose CA is not trusted is not talked to, and the message says how to trust it', async () => {
    const { code, err } = await issue();
    expect(code).toBe(1);
    expect(err).toContain('is not of a CA that this machine trusts');
    expect(err).toContain('--ca');
    using other = createCertificateAuthority();
    writeFileSync(pem('other-ca.pem'), other.cert);
    expect((await issue('--ca', pem('other-ca.pem'))).err).toContain(`is not of a CA in ${pem('other-ca.pem')}`);
  });

  test('A2: the service may be known by its SPIFFE ID in the place of its name', async () => {
    // The certificate does not have this name.
    const elsewhere = ['--url', service.url.replace('127.0.0.1', 'localhost')];
    const ask = (id: string) => ect(['checkpoint', '--server-id', id, ...asAgent, ...elsewhere]);
    expect((await ect(['checkpoint', ...asAgent, ...elsewhere])).err).toMatch(/for another host name\n.*--server-id/);
    const { code, err } = await ask('spiffe://example.com/other');
    expect(code).toBe(1);
    expect(err).toContain('has not proved the SPIFFE ID of --server-id');
    expect((await ask(SERVICE)).code).toBe(0);
  });

  test('--server-id is a SPIFFE ID, and needs TLS', async () => {
    const noId = await ect(['checkpoint', '--server-id', 'https://example.com/ect', ...asAgent, ...url]);
    expect(noId.code).toBe(2);
    expect(noId.err).toContain('spiffe://');
    const clear = await ect(['checkpoint', '--server-id', SERVICE, '--url', 'http://127.0.0.1:1']);
    expect(clear.code).toBe(2);
    // It may come from the environment, so the message has both names.
    expect(clear.err).toMatch(
      /^error: --server-id \(ECT_SERVER_ID\): only with a --url \(ECT_URL\) that begins with https:/,
    );
  });

  test('a caller without a certificate is rejected', async () => {
    const { code, err } = await issue('--ca', pem('ca.pem'));
    expect(code).toBe(1);
    expect(err).toContain('✗ CALLER_UNTRUSTED');
    expect(err).toContain('client certificate');
    expect(err).toContain('next: Give your certificate with --cert and --cert-key');
  });

  test('http:// towards a service with TLS gets the remedy https://', async () => {
    const { code, err } = await ect(['checkpoint', '--url', `http://${service.address}`]);
    expect(code).toBe(1);
    expect(err).toContain('https:// for one with it');
  });
});
