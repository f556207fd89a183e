// What a client over TLS trusts and presents, by its files.

import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';

/** PEM files. Without a certificate the client proves nothing. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certificate?: { readonly certFile: string; readonly keyFile: string } | undefined;
}

export async function readTls({ caFile, certificate }: TlsFiles): Promise<SecureContextOptions> {
  const ca = await readFile(caFile);
  if (certificate === undefined) return { ca };
  return { ca, cert: await readFile(certificate.certFile), key: await readFile(certificate.keyFile) };
}
