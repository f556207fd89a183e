// A7: whether a chain that was verified under the CAs of before leads to one of today.

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClientCas, leadsToRoot } from '../../src/callers/client-cas.ts';
import { type CertificateAuthority, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';

const DAY = 24 * 3_600_000;
const ID = 'spiffe://example.org/a';

describeWith('openssl', 'the CAs of today', () => {
  let ca: CertificateAuthority;
  let other: CertificateAuthority;
  /** Another CA that bears the same name. */
  let namesake: CertificateAuthority;
  let leaf: X509Certificate;

  beforeAll(() => {
    ca = createCertificateAuthority('mesh CA');
    other = createCertificateAuthority('other CA');
    namesake = createCertificateAuthority('mesh CA');
    leaf = new X509Certificate(issueSvid(ca, ID).cert);
  });
  afterAll(() => {
    for (const authority of [ca, other, namesake]) authority[Symbol.dispose]();
  });

  const read = (pem: string) => new X509Certificate(pem);

  test('A7 are trusted for certificates that they signed, alone or with other CAs', () => {
    expect(leadsToRoot(leaf, [read(ca.cert)], Date.now())).toBe(true);
    expect(leadsToRoot(leaf, [read(other.cert), read(ca.cert)], Date.now())).toBe(true);
  });

  test('A7 are not trusted for certificates of another CA, not even one of the same name', () => {
    expect(leadsToRoot(leaf, [read(other.cert)], Date.now())).toBe(false);
    expect(leadsToRoot(leaf, [read(namesake.cert)], Date.now())).toBe(false);
  });

  test('A7 an expired CA is trusted for no caller', () => {
    expect(leadsToRoot(leaf, [read(ca.cert)], Date.now() + 3 * DAY)).toBe(false);
  });

  /** A connection as far as it is looked at. */
  const from = (remotePort: number) =>
    Object.assign(new EventEmitter(), {
      remoteAddress: '127.0.0.1',
      remotePort,
      localAddress: '127.0.0.1',
    }) as unknown as Socket;

  test('A7 a connection is checked against the current CAs as soon as a CA of its handshake was removed', () => {
    const cas = new ClientCas(ca.cert);
    const socket = from(1);
    cas.accept(socket);
    cas.replace(ca.cert + other.cert);
    expect(cas.vouchFor(socket, leaf, ID, Date.now())).toBe(true);
    cas.replace(other.cert);
    expect(cas.vouchFor(socket, leaf, ID, Date.now())).toBe(false);
    cas.replace(ca.cert);
    expect(cas.vouchFor(socket, leaf, ID, Date.now())).toBe(true);
  });

  test('A7 what TLS has accepted under the CAs of today needs no second look, whatever intermediates it took', () => {
    const cas = new ClientCas(other.cert + ca.cert);
    const [early, late] = [from(1), from(2)];
    cas.accept(early);
    cas.replace(other.cert);
    cas.accept(late);
    // As a leaf below an intermediate that is not in the file.
    expect(cas.vouchFor(late, leaf, ID, Date.now())).toBe(true);
    expect(cas.vouchFor(early, leaf, ID, Date.now())).toBe(false);
  });

  test('A7 a connection that is closed is forgotten: the next one from the same port is another', () => {
    const cas = new ClientCas(ca.cert);
    const socket = from(1);
    cas.accept(socket);
    socket.emit('close');
    cas.replace(other.cert);
    expect(cas.vouchFor(socket, leaf, ID, Date.now())).toBe(false);
  });

  test('A7 another set is another object, so that no answer is kept too long', () => {
    const cas = new ClientCas(ca.cert);
    const before = cas.current;
    expect(cas.current).toBe(before);
    cas.replace(ca.cert);
    expect(cas.current).not.toBe(before);
  });
});

describeWith('openssl', 'a chain with an intermediate', () => {
  test('A7 leads to its root through the file; a leaf in between, or an intermediate alone, leads nowhere', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ect-chain-'));
    const run = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'ignore' });
    try {
      for (const name of ['root', 'ca', 'end', 'leaf'])
        run(`genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${name}.key`);
      run('req -x509 -new -key root.key -out root.pem -days 2 -subj /CN=root -addext keyUsage=critical,keyCertSign');
      writeFileSync(join(folder, 'ca.ext'), 'basicConstraints=critical,CA:TRUE\n');
      writeFileSync(join(folder, 'end.ext'), 'basicConstraints=critical,CA:FALSE\n');
      const sign = (name: string, issuer: string, kind: string) => {
        run(`req -new -key ${name}.key -out ${name}.csr -subj /CN=${name}`);
        run(
          `x509 -req -in ${name}.csr -CA ${issuer}.pem -CAkey ${issuer}.key -out ${name}.pem -days 1 -extfile ${kind}.ext`,
        );
        return new X509Certificate(readFileSync(join(folder, `${name}.pem`)));
      };
      const root = new X509Certificate(readFileSync(join(folder, 'root.pem')));
      const intermediate = sign('ca', 'root', 'ca');
      const below = sign('leaf', 'ca', 'end');
      expect(leadsToRoot(below, [intermediate, root], Date.now())).toBe(true);
      expect(leadsToRoot(below, [root], Date.now())).toBe(false);
      expect(leadsToRoot(below, [intermediate], Date.now())).toBe(false);
      const end = sign('end', 'root', 'end');
      expect(leadsToRoot(sign('leaf', 'end', 'end'), [end, root], Date.now())).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
