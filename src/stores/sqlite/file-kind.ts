// Checks the kind of a file by its first bytes (SQLite's file format, section 1.3). A file that never was a ledger is a wrong path, which
// is not the same as a damaged ledger.

import { readStart } from '../../files/bounded-read.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;

/** Why the file at `path` is not a ledger; undefined if it may be one. Errors of the file system are thrown. */
export function ledgerKindFault(path: string): string | undefined {
  return kindFault(path, LEDGER_LAYOUT, 'ledger');
}

/** The same for `once.db`. */
export function expiringKeyKindFault(path: string): string | undefined {
  return kindFault(path, EXPIRING_KEY_LAYOUT, 'store of used tokens');
}

function kindFault(path: string, { applicationId }: Layout, what: string): string | undefined {
  const header = readStart(path, HEADER_BYTES);
  // A service is about to fill this file.
  if (header.length === 0) return undefined;
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    return `${path} is not an SQLite file, so it is no ${what}, unless its first bytes were overwritten`;
  }
  const id = header.readUInt32BE(APPLICATION_ID_AT);
  if (id === applicationId) return undefined;
  const other = [LEDGER_LAYOUT, EXPIRING_KEY_LAYOUT].find((layout) => layout.applicationId === id);
  const found =
    other === LEDGER_LAYOUT ? 'a ledger' : other === undefined ? 'of another program' : 'once.db of a service';
  return `${path} is ${found}, not a ${what}`;
}
