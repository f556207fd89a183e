import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StartError } from '../src/data-dir.ts';
import { readTlsFiles } from '../src/tls-files.ts';
import { type CertificateAuthority, createCertificateAuthority } from './support/certificates.ts';
import { describeWith } from './support/need.ts';

let directory: string;
let ca: CertificateAuthority;

describeWith('openssl', 'TLS files', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ect-tls-'));
    ca = createCertificateAuthority();
    const { cert, key } = ca.issue({ names: [{ dns: 'localhost' }] });
    using other = createCertificateAuthority('other CA');
    const files = {
      'server.pem': cert,
      'server.key': key,
      'ca.pem': ca.cert,
      'two-cas.pem': `${ca.cert}${other.cert}`,
      'other.key': other.issue({}).key,
      'cut.pem': ca.cert.replace(/\n[^-\n]+\n-----END/, '\n-----END'),
      'text.pem': 'no certificate',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  });
  afterAll(() => {
    ca[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  function read(certFile: string, keyFile: string, clientCaFile?: string) {
    const path = (name: string) => join(directory, name);
    const clientCa = clientCaFile === undefined ? undefined : path(clientCaFile);
    return readTlsFiles({ certFile: path(certFile), keyFile: path(keyFile), clientCaFile: clientCa });
  }

  test('a certificate, its key and the CAs of callers are read', async () => {
    expect(await readTlsFiles(undefined)).toBeUndefined();
    expect(await read('server.pem', 'server.key')).toMatchObject({ cert: expect.stringContaining('CERTIFICATE') });
    expect((await read('server.pem', 'server.key', 'two-cas.pem'))?.clientCa).toContain(ca.cert);
  });

  test.each([
    ['a certificate that is not there', ['gone.pem', 'server.key'], 'ECT_TLS_CERT cannot be read'],
    ['a file that is no PEM', ['server.pem', 'text.pem'], 'ECT_TLS_KEY is not PEM'],
    ['a damaged certificate', ['cut.pem', 'server.key'], 'ECT_TLS_CERT must have one or more sound certificates'],
    ['the key of another certificate', ['server.pem', 'other.key'], 'ECT_TLS_KEY must be the private key of'],
    ['a damaged CA, under which nobody could call', ['server.pem', 'server.key', 'cut.pem'], 'ECT_TLS_CLIENT_CA must'],
    ['a key in place of the CA', ['server.pem', 'server.key', 'server.key'], 'ECT_TLS_CLIENT_CA must have one or more'],
  ] as const)('S10 %s stops the start, and its setting is named', async (_what, [cert, key, clientCa], sentence) => {
    const refusal = await read(cert, key, clientCa).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(StartError);
    expect((refusal as StartError).message).toContain(`The file of ${sentence}`);
    expect((refusal as StartError).message).not.toContain('-----BEGIN');
  });
});
