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

/** Reads the files; undefined without TLS. StartError names the setting that is wrong, never what is in its file. */
export async function readTlsFiles(tls: Config['tls']): Promise<TlsTexts | undefined> {
  if (tls === undefined) return undefined;
  const [cert, key] = await Promise.all([readPem('ECT_TLS_CERT', tls.certFile), readPem('ECT_TLS_KEY', tls.keyFile)]);
  checkCertificates('ECT_TLS_CERT', cert, tls.certFile);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const rule = 'must be the private key of the certificate in ECT_TLS_CERT, as PEM and not encrypted';
    throw new StartError(`The file of ECT_TLS_KEY ${rule}: ${tls.keyFile}.`, { cause });
  }
  if (tls.clientCaFile === undefined) return { cert, key };
  const clientCa = await readPem('ECT_TLS_CLIENT_CA', tls.clientCaFile);
  checkCertificates('ECT_TLS_CLIENT_CA', clientCa, tls.clientCaFile);
  return { cert, key, clientCa };
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
