// Whether a file can be one of ours at all, by its first bytes (SQLite's file format, section 1.3). A file that never was
// a ledger is a wrong path, which is another thing than a ledger that is damaged.

import { readStart } from '../../files/bounded-read.ts';
import { EXPIRING_KEY_LAYOUT } from './expiring-key-layout.ts';
import type { Layout } from './layout.ts';
import { LEDGER_LAYOUT } from './ledger-layout.ts';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const APPLICATION_ID_AT = 68;

/** Why the file at `path` is no ledger; undefined where it may be one. What the system rejects is thrown. */
export function ledgerKindFault(path: string): string | undefined {
  return kindFault(path, LEDGER_LAYOUT, 'ledger');
}

/** The same for the file of what is remembered once. */
export function expiringKeyKindFault(path: string): string | undefined {
  return kindFault(path, EXPIRING_KEY_LAYOUT, 'memory of used tokens');
}

function kindFault(path: string, { applicationId }: Layout, what: string): string | undefined {
  const header = readStart(path, HEADER_BYTES);
  // A file that a service is about to fill.
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
