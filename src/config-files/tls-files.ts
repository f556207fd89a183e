// The operator's files with certificate, key and client CA. Files that would fail later or reject every caller stop the start, and never
// replace valid files.

import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import type { Content, FileGroup } from '../reload/index.ts';
import { type CertificateTerm, isInForce, termOf } from './certificate-term.ts';
import { bytesOf } from './setting-file.ts';

/** PEM texts that belong together. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  /** The CAs for callers of all trust domains. */
  readonly clientCa?: string;
  /** The CAs for each trust domain. */
  readonly bundles?: ReadonlyMap<string, string>;
  /** The validity periods of these certificates. */
  readonly terms: readonly CertificateTerm[];
}

interface Certificates {
  readonly text: string;
  readonly chain: readonly X509Certificate[];
}

/** Returns the TLS files as a group. `parse` throws StartError with a line for every faulty setting; it never quotes a file. */
export function tlsFiles(tls: NonNullable<Config['tls']>, nowMs: () => number = Date.now): FileGroup<TlsTexts> {
  const { certFile, keyFile, clientCaFile, clientBundles } = tls;
  const isBundled = clientBundles.length > 0;
  const caFiles: readonly CaFile[] = isBundled
    ? clientBundles.map((bundle) => ({ setting: 'ECT_TLS_CLIENT_BUNDLES', ...bundle }))
    : clientCaFile === undefined
      ? []
      : [{ setting: 'ECT_TLS_CLIENT_CA', file: clientCaFile }];
  return {
    name: 'tls',
    paths: [certFile, keyFile, ...caFiles.map(({ file }) => file)],
    parse: ([certContent, keyContent, ...caContents]) => {
      const problems: string[] = [];
      const cert = noting(problems, () => readCertificates('ECT_TLS_CERT', certFile, certContent));
      const key = noting(problems, () => readPem('ECT_TLS_KEY', keyFile, keyContent));
      const server = cert && noting(problems, () => serverTerm(cert.chain, certFile, nowMs()));
      if (cert !== undefined && key !== undefined) noting(problems, () => checkKey(cert.text, key, keyFile));
      const cas = caFiles.map((ca, at) => noting(problems, () => readClientCa(ca, caContents[at], nowMs())));
      if (cert === undefined || key === undefined || server === undefined || problems.length > 0) {
        throw new StartError(problems.join('\n'));
      }
      const read = cas.filter((ca) => ca !== undefined);
      const texts = { cert: cert.text, key };
      if (read.length === 0) return { ...texts, terms: [server] };
      const terms = [server, firstToEnd(read.map(({ term }) => term))];
      const clientCa = read.map(({ text }) => text).join('\n');
      const bundles = new Map(read.map(({ trustDomain, text }) => [trustDomain ?? '', text]));
      return isBundled ? { ...texts, clientCa, bundles, terms } : { ...texts, clientCa, terms };
    },
  };
}

/** Returns the result of `read`. If it throws a StartError, adds it to `problems` and returns undefined. */
function noting<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

/** A file of CAs for callers: of one trust domain, or of all. */
interface CaFile {
  readonly setting: string;
  readonly file: string;
  readonly trustDomain?: string;
}

function readClientCa({ setting, file, trustDomain }: CaFile, content: Content | undefined, nowMs: number) {
  const { text, chain } = readCertificates(setting, file, content);
  return { text, trustDomain, term: clientCaTerm(setting, chain, file, nowMs) };
}

function readPem(setting: string, path: string, content: Content | undefined): string {
  const text = bytesOf(setting, path, content).toString('utf8');
  if (!text.includes('-----BEGIN ')) throw new StartError(`The file of ${setting} is not PEM: ${path}.`);
  return text;
}

/** Reads the certificates of a CA file and rejects unreadable ones. TLS would ignore them, and would then trust nobody. */
function readCertificates(setting: string, path: string, content: Content | undefined): Certificates {
  const text = readPem(setting, path, content);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  try {
    // A partly written file ends inside of a block.
    if (blocks.length > 0 && blocks.length === begun.length) {
      return { text, chain: blocks.map((block) => new X509Certificate(block)) };
    }
  } catch {
    // Reported below with the other faults.
  }
  throw new StartError(`The file of ${setting} must have one or more sound certificates as PEM: ${path}.`);
}

function checkKey(cert: string, key: string, path: string): void {
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const rule = 'must be the private key of the certificate in ECT_TLS_CERT, as PEM and not encrypted';
    throw new StartError(`The file of ECT_TLS_KEY ${rule}: ${path}.`, { cause });
  }
}

/** Returns the validity period of the whole chain. Clients reject the service's certificate outside of its period. */
function serverTerm(chain: readonly X509Certificate[], path: string, nowMs: number): CertificateTerm {
  const terms = chain.map(termOf);
  const own = terms[0]!;
  if (!isInForce(own, nowMs)) throw outOfTime('ECT_TLS_CERT', path, own, nowMs, 'every client would reject it');
  return { certificate: 'server', path, ...firstToEnd(terms) };
}

function firstToEnd<Term extends { readonly notAfterMs: number }>(terms: readonly Term[]): Term {
  return terms.reduce((least, term) => (term.notAfterMs < least.notAfterMs ? term : least));
}

/**
 * Returns the validity period of the CA that expires first. Expired CAs are ignored, because a bundle may contain one beside its
 * successor.
 */
function clientCaTerm(setting: string, cas: readonly X509Certificate[], path: string, nowMs: number): CertificateTerm {
  const terms = cas.map(termOf).sort((a, b) => a.notAfterMs - b.notAfterMs);
  const first = terms.find((term) => isInForce(term, nowMs));
  if (first === undefined) {
    throw outOfTime(setting, path, terms.at(-1)!, nowMs, 'no caller could prove an identity');
  }
  return { certificate: 'client-ca', path, ...first };
}

function outOfTime(
  setting: string,
  path: string,
  { notBeforeMs, notAfterMs }: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
  effect: string,
): StartError {
  const fault =
    nowMs > notAfterMs
      ? `expired at ${new Date(notAfterMs).toISOString()}`
      : `is not valid before ${new Date(notBeforeMs).toISOString()}`;
  return new StartError(`The certificate in the file of ${setting} ${fault}, so ${effect}: renew it, in ${path}.`);
}
