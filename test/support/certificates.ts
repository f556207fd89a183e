// Certificates that the openssl program makes for one test run: a CA, and valid leaves or leaves with one named fault.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, both in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** One name of the SAN extension, written byte for byte. */
export type SanName = { readonly uri: string | Uint8Array } | { readonly dns: string } | { readonly ip: string };

export interface LeafOptions {
  readonly names?: readonly SanName[];
  /** Default `leaf`. */
  readonly commonName?: string;
  /** Default `serverAuth,clientAuth`. */
  readonly extendedKeyUsage?: string;
  /** Default `digitalSignature`. */
  readonly keyUsage?: string;
  /** Sets the CA flag of basicConstraints. */
  readonly isCa?: boolean;
  /** The remaining validity in days; negative: it has expired. Default 1. */
  readonly days?: number;
}

/** A CA in its own directory. To dispose of it removes the directory. */
export interface CertificateAuthority extends Disposable {
  /** The CA's own certificate in PEM, for `ca` and `clientCa`. */
  readonly cert: string;
  issue(options: LeafOptions): Certificate;
}

/** Makes a CA with a P-256 key. */
export function createCertificateAuthority(commonName = 'test CA', days = 2): CertificateAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'ect-ca-'));
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8');
  /** Runs openssl in that directory with the words of `line`, then with arguments that may contain blanks. */
  const openssl = (line: string, ...more: readonly string[]): void => {
    execFileSync('openssl', [...line.split(' '), ...more], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };

  openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key');
  openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key');
  const caUsage = 'keyUsage=critical,keyCertSign,cRLSign';
  openssl(`req -x509 -new -key ca.key -out ca.pem -days ${days} -addext ${caUsage} -subj`, `/CN=${commonName}`);

  let serial = 1;
  return {
    cert: read('ca.pem'),
    issue(options) {
      serial++;
      writeFileSync(join(directory, 'leaf.ext'), extensionFile(options));
      openssl('req -new -key leaf.key -out leaf.csr -subj', `/CN=${options.commonName ?? 'leaf'}`);
      const terms = `-set_serial ${serial} -days ${options.days ?? 1} -extfile leaf.ext`;
      openssl(`x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -out leaf.pem ${terms}`);
      return { cert: read('leaf.pem'), key: read('leaf.key') };
    },
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Makes the certificate of a workload below an intermediate CA of `authority`. The workload presents both. */
export function issueSvidBelow(authority: CertificateAuthority, spiffeId: string): Certificate {
  const intermediate = authority.issue({ commonName: 'intermediate', isCa: true, keyUsage: 'keyCertSign' });
  const directory = mkdtempSync(join(tmpdir(), 'ect-below-'));
  const openssl = (line: string): void => {
    execFileSync('openssl', line.split(' '), { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  try {
    writeFileSync(join(directory, 'ca.pem'), intermediate.cert);
    writeFileSync(join(directory, 'ca.key'), intermediate.key);
    writeFileSync(join(directory, 'leaf.ext'), extensionFile({ names: [{ uri: spiffeId }] }));
    openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key');
    openssl('req -new -key leaf.key -out leaf.csr -subj /CN=below');
    openssl('x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 77 -days 1 -extfile leaf.ext -out leaf.pem');
    const read = (name: string) => readFileSync(join(directory, name), 'utf8');
    return { cert: read('leaf.pem') + intermediate.cert, key: read('leaf.key') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes a certificate for a server on the loopback address. */
export function issueServerCertificate(authority: CertificateAuthority): Certificate {
  return authority.issue({ commonName: 'localhost', names: [{ ip: '127.0.0.1' }, { dns: 'localhost' }] });
}

/** Makes the certificate of a workload: an X.509-SVID with this SPIFFE ID. */
export function issueSvid(authority: CertificateAuthority, spiffeId: string): Certificate {
  return authority.issue({ names: [{ uri: spiffeId }] });
}

function extensionFile(options: LeafOptions): string {
  const lines = [
    `basicConstraints=critical,CA:${options.isCa === true ? 'TRUE' : 'FALSE'}`,
    `keyUsage=critical,${options.keyUsage ?? 'digitalSignature'}`,
    `extendedKeyUsage=${options.extendedKeyUsage ?? 'serverAuth,clientAuth'}`,
  ];
  if (options.names !== undefined)
    lines.push(`subjectAltName=DER:${sequence(options.names.map(encodeName)).toString('hex')}`);
  return `${lines.join('\n')}\n`;
}

function encodeName(name: SanName): Buffer {
  if ('uri' in name) return element(0x86, Buffer.from(name.uri));
  if ('dns' in name) return element(0x82, Buffer.from(name.dns, 'latin1'));
  return element(0x87, Buffer.from(name.ip.split('.').map(Number)));
}

function sequence(elements: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(elements));
}

/** One DER element. */
export function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const lengthOctets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...lengthOctets]), content]);
}
