// A7: whether a chain that was verified under the CAs of before leads to one of today.

import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClientCas } from '../../src/callers/client-cas.ts';
import { type CertificateAuthority, createCertificateAuthority, issueSvid } from '../support/certificates.ts';
import { describeWith } from '../support/need.ts';

const DAY = 24 * 3_600_000;

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
    leaf = new X509Certificate(issueSvid(ca, 'spiffe://example.org/a').cert);
  });
  afterAll(() => {
    for (const authority of [ca, other, namesake]) authority[Symbol.dispose]();
  });

  const vouch = (cas: string, presented: readonly X509Certificate[] = [], nowMs = Date.now()) =>
    new ClientCas(cas).vouchFor(leaf, presented, nowMs);

  test('A7 vouch for what they signed, alone or beside others', () => {
    expect(vouch(ca.cert)).toBe(true);
    expect(vouch(other.cert + ca.cert)).toBe(true);
  });

  test('A7 do not vouch for what another CA signed, not even one of the same name', () => {
    expect(vouch(other.cert)).toBe(false);
    expect(vouch(namesake.cert)).toBe(false);
  });

  test('A7 a CA that the caller presents itself does not make it trusted', () => {
    expect(vouch(other.cert, [new X509Certificate(ca.cert)])).toBe(false);
  });

  test('A7 a CA whose time is over vouches for nobody', () => {
    expect(vouch(ca.cert, [], Date.now() + 3 * DAY)).toBe(false);
  });

  test('A7 another set is another object, so that no answer is kept too long', () => {
    const cas = new ClientCas(ca.cert);
    expect(cas.current).toBe(cas.first);
    cas.replace(other.cert);
    expect(cas.current).not.toBe(cas.first);
    expect(cas.vouchFor(leaf, [], Date.now())).toBe(false);
    cas.replace(ca.cert);
    expect(cas.vouchFor(leaf, [], Date.now())).toBe(true);
  });
});

describeWith('openssl', 'a chain with an intermediate', () => {
  test('A7 leads to its root through what was presented; a leaf in between leads nowhere', async () => {
    const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import('node:fs');
    const { execFileSync } = await import('node:child_process');
    const { tmpdir } = await import('node:os');
    const { join } = await import('node:path');
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
      const cas = new ClientCas(readFileSync(join(folder, 'root.pem'), 'utf8'));
      const intermediate = sign('ca', 'root', 'ca');
      const below = sign('leaf', 'ca', 'end');
      expect(cas.vouchFor(below, [intermediate], Date.now())).toBe(true);
      expect(cas.vouchFor(below, [], Date.now())).toBe(false);
      // An intermediate in the file is a step, as in TLS, and no end.
      cas.replace(readFileSync(join(folder, 'ca.pem'), 'utf8'));
      expect(cas.vouchFor(below, [intermediate], Date.now())).toBe(false);
      cas.replace(readFileSync(join(folder, 'root.pem'), 'utf8'));
      const end = sign('end', 'root', 'end');
      const forged = sign('leaf', 'end', 'end');
      expect(cas.vouchFor(forged, [end], Date.now())).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
