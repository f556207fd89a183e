// The certificate, the key and the client CA from the operator's files. What would only fail later, or refuse every
// caller, stops the start, and never takes the place of files that can be used.

import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type CertificateTerm, isInForce, termOf } from './certificate-term.ts';
import type { Config } from './config.ts';
import { StartError } from './data-dir.ts';
import type { Content, FileGroup } from './reload/index.ts';

/** PEM texts that fit together. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
  /** When these certificates end. */
  readonly terms: readonly CertificateTerm[];
}

/** The TLS files as one group. Its StartError names the setting that is wrong, never what is in its file. */
export function tlsFiles(tls: NonNullable<Config['tls']>, nowMs: () => number = Date.now): FileGroup<TlsTexts> {
  const { certFile, keyFile, clientCaFile } = tls;
  return {
    name: 'tls',
    paths: [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])],
    parse: ([certContent, keyContent, caContent]) => {
      const cert = readPem('ECT_TLS_CERT', certFile, certContent);
      const key = readPem('ECT_TLS_KEY', keyFile, keyContent);
      const chain = readCertificates('ECT_TLS_CERT', cert, certFile);
      checkKey(cert, key, keyFile);
      const server = serverTerm(chain, certFile, nowMs());
      if (clientCaFile === undefined) return { cert, key, terms: [server] };
      const clientCa = readPem('ECT_TLS_CLIENT_CA', clientCaFile, caContent);
      const cas = readCertificates('ECT_TLS_CLIENT_CA', clientCa, clientCaFile);
      return { cert, key, clientCa, terms: [server, clientCaTerm(cas, clientCaFile, nowMs())] };
    },
  };
}

function readPem(setting: string, path: string, content: Content | undefined): string {
  if (content === undefined || 'code' in content) {
    const code = content?.code ?? 'unknown';
    const rule = code === 'EFBIG' ? 'it may have 1 MiB' : 'give the path of a PEM file';
    throw new StartError(`The file of ${setting} cannot be read (${code}): ${rule}, not ${path}.`);
  }
  const text = content.bytes.toString('utf8');
  if (!text.includes('-----BEGIN ')) throw new StartError(`The file of ${setting} is not PEM: ${path}.`);
  return text;
}

/** TLS passes over what it cannot read in a CA file, and would then trust nobody. */
function readCertificates(setting: string, text: string, path: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  try {
    // A file that is half written ends within a block.
    if (blocks.length > 0 && blocks.length === begun.length) return blocks.map((block) => new X509Certificate(block));
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

/** That of the whole chain. The first certificate is the service's own; every client would refuse it out of its time. */
function serverTerm(chain: readonly X509Certificate[], path: string, nowMs: number): CertificateTerm {
  const terms = chain.map(termOf);
  const own = terms[0]!;
  if (!isInForce(own, nowMs)) throw outOfTime('ECT_TLS_CERT', path, own, nowMs, 'every client would refuse it');
  const first = terms.reduce((least, term) => (term.notAfterMs < least.notAfterMs ? term : least));
  return { certificate: 'server', path, ...first };
}

/** That of the CA which ends first. One that has ended is passed over: a bundle may hold it beside the one that follows it. */
function clientCaTerm(cas: readonly X509Certificate[], path: string, nowMs: number): CertificateTerm {
  const terms = cas.map(termOf).sort((a, b) => a.notAfterMs - b.notAfterMs);
  const first = terms.find((term) => isInForce(term, nowMs));
  if (first === undefined) {
    throw outOfTime('ECT_TLS_CLIENT_CA', path, terms.at(-1)!, nowMs, 'no caller could prove an identity');
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
