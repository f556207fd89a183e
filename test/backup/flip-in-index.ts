// A flipped bit in the index by name of a ledger: no entry is changed, and one is not found.

import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A leaf page of an index, in SQLite's file format. */
const INDEX_LEAF = 10;

export function flipInIndex(path: string, entry = 3): void {
  const connection = new DatabaseSync(path, { readOnly: true });
  const name = String(connection.prepare('SELECT name FROM entries WHERE idx = ?').get(entry)?.['name']);
  connection.close();
  const bytes = readFileSync(path);
  const pageSize = bytes.readUInt16BE(16);
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    if (bytes[Math.floor(at / pageSize) * pageSize] !== INDEX_LEAF) continue;
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error('the name is in no index');
}
