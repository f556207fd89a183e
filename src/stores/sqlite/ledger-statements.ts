// The statements of a ledger in a SQLite file.

import type { StatementSync } from 'node:sqlite';
import type { SqliteDatabase } from './database.ts';
import { ENTRY_COLUMNS, ENTRY_COLUMNS_WITH_CONTENT, HASH_BYTES } from './ledger-rows.ts';

export function prepareStatements({ connection }: SqliteDatabase) {
  return {
    head: connection.prepare('SELECT size, frontier, recorded_at, checkpoint FROM head'),
    identity: connection.prepare('SELECT verifier_key FROM identity'),
    at: connection.prepare(`SELECT ${ENTRY_COLUMNS_WITH_CONTENT} FROM entries WHERE idx = ?`),
    find: connection.prepare(`SELECT ${ENTRY_COLUMNS_WITH_CONTENT} FROM entries WHERE name = ? AND scope = ?`),
    bare: connection.prepare(`SELECT ${ENTRY_COLUMNS} FROM entries WHERE name = ? AND scope = ?`),
    elsewhere: connection.prepare(
      `SELECT ${ENTRY_COLUMNS} FROM entries WHERE name = ? AND scope > '' ORDER BY scope LIMIT 1`,
    ),
    endOfScan: connection.prepare('SELECT idx FROM entries WHERE scope = ? AND idx >= ? ORDER BY idx LIMIT 1 OFFSET ?'),
    startOfScan: connection.prepare(
      'SELECT idx FROM entries WHERE scope = ? AND idx < ? ORDER BY idx DESC LIMIT 1 OFFSET ?',
    ),
    recordedAt: connection.prepare('SELECT recorded_at FROM entries WHERE idx = ?'),
    node: connection.prepare(`SELECT substr(nodes, ?, ${HASH_BYTES}) AS hash FROM entries WHERE idx = ?`),
    end: connection.prepare('SELECT coalesce(max(idx) + 1, 0) AS entries FROM entries'),
    insertHead: connection.prepare(
      'INSERT INTO head (id, size, frontier, recorded_at, checkpoint) VALUES (1, ?, ?, ?, ?)',
    ),
    insertIdentity: connection.prepare('INSERT INTO identity (id, verifier_key) VALUES (1, ?)'),
    insertEntry: connection.prepare(
      `INSERT INTO entries (idx, scope, name, author, recorded_at, digest, leaf, nodes, salt, content)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    updateHead: connection.prepare('UPDATE head SET size = ?, frontier = ?, recorded_at = ?, checkpoint = ?'),
    lists: prepareLists(connection),
  };
}

const EITHER = [false, true] as const;

/** One statement for each combination of filters, so that each walks the index that fits. */
function prepareLists(connection: SqliteDatabase['connection']): Readonly<Record<string, StatementSync>> {
  const lists: Record<string, StatementSync> = {};
  for (const byScope of EITHER) {
    for (const byAuthor of EITHER) {
      // With both, the scope's index is the one whose rows are counted.
      const author = byScope ? '+author' : 'author';
      const filters = `${byScope ? ' AND scope = ?' : ''}${byAuthor ? ` AND ${author} = ?` : ''}`;
      for (const withContent of EITHER) {
        for (const newestFirst of EITHER) {
          lists[listKey(byScope, byAuthor, withContent, newestFirst)] = connection.prepare(
            `SELECT ${withContent ? ENTRY_COLUMNS_WITH_CONTENT : ENTRY_COLUMNS} FROM entries
             WHERE idx >= ? AND idx < ?${filters} ORDER BY idx${newestFirst ? ' DESC' : ''} LIMIT ?`,
          );
        }
      }
    }
  }
  return lists;
}

export function listKey(
  ...parts: readonly [byScope: boolean, byAuthor: boolean, withContent: boolean, newestFirst: boolean]
) {
  return JSON.stringify(parts);
}
