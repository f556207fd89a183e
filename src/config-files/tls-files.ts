// The certificate, the key and the client CA from the operator's files. What would only fail later, or reject every
// caller, stops the start, and never takes the place of files that can be used.

import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/index.ts';
import { StartError } from '../data-directory/data-dir.ts';
import type { Content, FileGroup } from '../reload/index.ts';
import { type CertificateTerm, isInForce, termOf } from './certificate-term.ts';
import { bytesOf } from './setting-file.ts';

/** PEM texts that fit together. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  /** All CAs that are trusted for callers. */
  readonly clientCa?: string;
  /** The CAs of each trust domain, where each has its own. */
  readonly bundles?: ReadonlyMap<string, string>;
  /** When these certificates end. */
  readonly terms: readonly CertificateTerm[];
}

interface Certificates {
  readonly text: string;
  readonly chain: readonly X509Certificate[];
}

/** The TLS files as one group. Its StartError names every setting that is wrong, a line each, never what is in a file. */
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

/** What `read` answers; undefined, and a problem more, where it rejects. */
function noting<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

/** A file of CAs that vouch for callers: of one trust domain, or of all. */
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

/** TLS passes over what it cannot read in a CA file, and would then trust nobody. */
function readCertificates(setting: string, path: string, content: Content | undefined): Certificates {
  const text = readPem(setting, path, content);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  try {
    // A file that is half written ends within a block.
    if (blocks.length > 0 && blocks.length === begun.length) {
      return { text, chain: blocks.map((block) => new X509Certificate(block)) };
    }
  } catch {
    // Said below, once for all ways to be wrong.
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

/** That of the whole chain. The first certificate is the service's own; every client would reject it out of its time. */
function serverTerm(chain: readonly X509Certificate[], path: string, nowMs: number): CertificateTerm {
  const terms = chain.map(termOf);
  const own = terms[0]!;
  if (!isInForce(own, nowMs)) throw outOfTime('ECT_TLS_CERT', path, own, nowMs, 'every client would reject it');
  return { certificate: 'server', path, ...firstToEnd(terms) };
}

function firstToEnd<Term extends { readonly notAfterMs: number }>(terms: readonly Term[]): Term {
  return terms.reduce((least, term) => (term.notAfterMs < least.notAfterMs ? term : least));
}

/** That of the CA which ends first. One that has ended is passed over: a bundle may hold it beside the one that follows it. */
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
