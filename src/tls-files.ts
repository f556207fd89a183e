// The certificate, the key and the client CA from the operator's files. What would only fail later, or refuse every
// caller, stops the start.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Config } from './config.ts';
import { StartError } from './data-dir.ts';
import { fileFault } from './system-faults.ts';

/** PEM texts that fit together. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

/** Reads the files; undefined without TLS. StartError names every setting that is wrong, never what is in its file. */
export async function readTlsFiles(tls: Config['tls']): Promise<TlsTexts | undefined> {
  if (tls === undefined) return undefined;
  const { certFile, keyFile, clientCaFile } = tls;
  const problems: string[] = [];
  const report = (error: unknown) => {
    if (!(error instanceof StartError)) throw error;
    problems.push(error.message);
    return '';
  };
  const [cert, key, clientCa] = await Promise.all([
    readCertificates('ECT_TLS_CERT', certFile).catch(report),
    readPem('ECT_TLS_KEY', keyFile).catch(report),
    clientCaFile === undefined ? undefined : readCertificates('ECT_TLS_CLIENT_CA', clientCaFile).catch(report),
  ]);
  if (cert !== '' && key !== '' && !fitsTogether(cert, key)) {
    const rule = 'must be the private key of the certificate in ECT_TLS_CERT, as PEM and not encrypted';
    problems.push(`The file of ECT_TLS_KEY ${rule}: ${keyFile}.`);
  }
  if (problems.length > 0) throw new StartError(problems.join('\n'));
  return clientCa === undefined ? { cert, key } : { cert, key, clientCa };
}

function fitsTogether(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    // What OpenSSL says of it may quote the file.
    return false;
  }
}

async function readCertificates(setting: string, path: string): Promise<string> {
  const text = await readPem(setting, path);
  checkCertificates(setting, text, path);
  return text;
}

async function readPem(setting: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new StartError(`The file of ${setting} cannot be read: ${fileFault(path, cause)}.`, { cause });
  }
  if (!text.includes('-----BEGIN ')) throw new StartError(`The file of ${setting} is not PEM: ${path}.`);
  return text;
}

/** TLS passes over what it cannot read in a CA file, and would then trust nobody. */
function checkCertificates(setting: string, text: string, path: string): void {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
    if (blocks.length > 0) return;
  } catch {
    // Said below, once for both ways to be wrong.
  }
  throw new StartError(`The file of ${setting} must have one or more sound certificates as PEM: ${path}.`);
}
