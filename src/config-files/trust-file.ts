// The trust file: which foreign issuers are trusted for what, and where their keys come from.

import { StartError } from '../data-directory/data-dir.ts';
import type { Content, FileGroup } from '../reload/index.ts';
import { type Issuer, KeySetFault, readLocalFiles, readTrust, type TrustSurroundings } from '../trust/index.ts';
import { bytesOf } from './setting-file.ts';

/**
 * Returns the trust file as a group of one file. `parse` throws StartError with every fault and its position: `issuers[0].jwks.keys[2]`.
 */
export function trustFile(path: string, around: Partial<TrustSurroundings> = {}): FileGroup<readonly Issuer[]> {
  return { name: 'trust', paths: [path], parse: ([content]) => parseTrust(path, content, around) };
}

async function parseTrust(
  path: string,
  content: Content | undefined,
  around: Partial<TrustSurroundings>,
): Promise<readonly Issuer[]> {
  const { issuers, problems } = readTrust(decode(bytesOf('ECT_TRUST_FILE', path, content), path), around);
  const all = [...problems, ...(await Promise.all(issuers.map(faultInFile))).filter((fault) => fault !== undefined)];
  if (all.length === 0) return issuers;
  const lines = all.map((problem) => `  ${problem}`).join('\n');
  throw new StartError(`The file of ECT_TRUST_FILE (${path}) has mistakes:\n${lines}`);
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new StartError(`The file of ECT_TRUST_FILE is not UTF-8: ${path}.`, { cause });
  }
}

/** Checks that files on this machine exist and contain a usable key. A remote server may become available later. */
async function faultInFile({ iss, source }: Issuer): Promise<string | undefined> {
  if (source.kind === 'inline') return undefined;
  try {
    await readLocalFiles(iss, source);
    return undefined;
  } catch (error) {
    if (error instanceof KeySetFault) return `${iss}: ${error.message}.`;
    throw error;
  }
}
