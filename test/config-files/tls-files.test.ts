import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tlsFiles } from '../../src/config-files/tls-files.ts';
import { StartError } from '../../src/data-directory/data-dir.ts';
import { loadGroup } from '../../src/reload/index.ts';
import { type CertificateAuthority, createCertificateAuthority } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';

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
      'empty.pem': '',
      'half.pem': cert.slice(0, cert.length / 2),
      'half-cas.pem': `${ca.cert}${other.cert.slice(0, other.cert.length / 2)}`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  });
  afterAll(() => {
    ca[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  const path = (name: string) => join(directory, name);

  async function read(
    certFile: string,
    keyFile: string,
    clientCaFile?: string,
    nowMs = Date.now,
    clientBundles: Readonly<Record<string, string>> = {},
  ) {
    const bundles = Object.entries(clientBundles).map(([trustDomain, file]) => ({ trustDomain, file: path(file) }));
    const clientCa = clientCaFile === undefined ? undefined : path(clientCaFile);
    const files = { certFile: path(certFile), keyFile: path(keyFile), clientCaFile: clientCa, clientBundles: bundles };
    return (await loadGroup(tlsFiles(files, nowMs))).value;
  }

  test('a certificate, its key and the CAs of callers are read', async () => {
    expect(await read('server.pem', 'server.key')).toMatchObject({ cert: expect.stringContaining('CERTIFICATE') });
    expect((await read('server.pem', 'server.key', 'two-cas.pem')).clientCa).toContain(ca.cert);
  });

  test.each([
    ['a certificate that is not there', ['gone.pem', 'server.key'], 'ECT_TLS_CERT cannot be read'],
    ['a file that is no PEM', ['server.pem', 'text.pem'], 'ECT_TLS_KEY is not PEM'],
    [
      'a file that is half written',
      ['half.pem', 'server.key'],
      'ECT_TLS_CERT must have one or more sound certificates',
    ],
    ['a bundle that is half written', ['server.pem', 'server.key', 'half-cas.pem'], 'ECT_TLS_CLIENT_CA must have'],
    ['an empty file', ['empty.pem', 'server.key'], 'ECT_TLS_CERT is not PEM'],
    ['a damaged certificate', ['cut.pem', 'server.key'], 'ECT_TLS_CERT must have one or more sound certificates'],
    ['the key of another certificate', ['server.pem', 'other.key'], 'ECT_TLS_KEY must be the private key of'],
    ['a damaged CA, under which nobody could call', ['server.pem', 'server.key', 'cut.pem'], 'ECT_TLS_CLIENT_CA must'],
    ['a key in place of the CA', ['server.pem', 'server.key', 'server.key'], 'ECT_TLS_CLIENT_CA must have one or more'],
  ] as const)('S10 %s stops the start, and its setting is named', async (_what, [cert, key, clientCa], sentence) => {
    const rejection = await read(cert, key, clientCa).catch((error: unknown) => error);
    expect(rejection).toBeInstanceOf(StartError);
    expect((rejection as StartError).message).toContain(`The file of ${sentence}`);
    expect((rejection as StartError).message).not.toContain('-----BEGIN');
  });

  test('S10 mistakes of several files are named together, a line each', async () => {
    const rejection: unknown = await read('gone.pem', 'text.pem', 'cut.pem').catch((error: unknown) => error);
    expect(rejection).toBeInstanceOf(StartError);
    expect((rejection as StartError).message.split('\n')).toEqual([
      `The file of ECT_TLS_CERT cannot be read: there is no file ${path('gone.pem')}.`,
      `The file of ECT_TLS_KEY is not PEM: ${path('text.pem')}.`,
      `The file of ECT_TLS_CLIENT_CA must have one or more sound certificates as PEM: ${path('cut.pem')}.`,
    ]);
    const late = read('server.pem', 'other.key', 'ca.pem', days(3));
    await expect(late).rejects.toThrow(
      /ECT_TLS_CERT expired .*\n.*ECT_TLS_KEY must be .*\n.*ECT_TLS_CLIENT_CA expired /,
    );
  });

  const days = (count: number) => () => Date.now() + count * 24 * 3_600_000;

  test('A7 a certificate that has expired, or is not valid yet, stops the start and says since or until when', async () => {
    const late = read('server.pem', 'server.key', undefined, days(1.5));
    await expect(late).rejects.toThrow(/^The certificate in the file of ECT_TLS_CERT expired at 20.*server\.pem\.$/);
    const early = read('server.pem', 'server.key', undefined, days(-1));
    await expect(early).rejects.toThrow(/^The certificate in the file of ECT_TLS_CERT is not valid before 20/);
  });

  test('A7 a client CA that has expired stops the start; beside another one it is passed over', async () => {
    const server = ca.issue({ days: 30 });
    using longCa = createCertificateAuthority('long CA', 30);
    writeFileSync(path('long.pem'), server.cert);
    writeFileSync(path('long.key'), server.key);
    writeFileSync(path('mixed.pem'), `${ca.cert}${longCa.cert}`);
    const late = read('long.pem', 'long.key', 'ca.pem', days(3));
    await expect(late).rejects.toThrow(/^The certificate in the file of ECT_TLS_CLIENT_CA expired at .*ca\.pem\.$/);
    const mixed = await read('long.pem', 'long.key', 'mixed.pem', days(3));
    const [, term] = mixed.terms;
    expect(term).toMatchObject({ certificate: 'client-ca', path: path('mixed.pem') });
    expect(term!.notAfterMs).toBeGreaterThan(days(20)());
  });

  test('A8 bundles are read by their trust domain, and TLS asks all of them', async () => {
    const bundles = { 'example.org': 'ca.pem', 'partner.example': 'two-cas.pem' };
    const { clientCa, bundles: byDomain, terms } = await read('server.pem', 'server.key', undefined, Date.now, bundles);
    expect([...byDomain!.keys()]).toEqual(['example.org', 'partner.example']);
    expect(byDomain!.get('example.org')).toBe(ca.cert);
    expect(clientCa).toContain(byDomain!.get('partner.example'));
    // Of all CAs the one that ends first is watched.
    expect(terms.map(({ certificate }) => certificate)).toEqual(['server', 'client-ca']);
  });

  test.each(['gone.pem', 'text.pem', 'cut.pem', 'half-cas.pem', 'empty.pem'])(
    'A7 a bundle that is %s stops the start, and its setting and file are named',
    async (file) => {
      const bundles = { 'example.org': 'ca.pem', 'partner.example': file };
      const wrong = read('server.pem', 'server.key', undefined, Date.now, bundles);
      await expect(wrong).rejects.toThrow(/The file of ECT_TLS_CLIENT_BUNDLES .*\.pem\.$/);
    },
  );
});
