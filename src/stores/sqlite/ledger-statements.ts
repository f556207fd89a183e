// The statements of a ledger in a SQLite file.

import type { StatementSync } from 'node:sqlite';
import { HASH_BYTES } from '../ledger-rows.ts';
import type { SqliteDatabase } from './database.ts';
import { layoutOf } from './layout.ts';
import { hasProvenance, LEDGER_LAYOUT } from './ledger-layout.ts';
import { ENTRY_COLUMNS, entryColumnsWithContent } from './ledger-rows.ts';

export function prepareStatements({ connection }: SqliteDatabase) {
  const isCurrent = hasProvenance(layoutOf(connection, LEDGER_LAYOUT));
  const whole = entryColumnsWithContent(isCurrent);
  return {
    ...(isCurrent && prepareCurrent(connection)),
    head: connection.prepare('SELECT size, frontier, recorded_at, checkpoint FROM head'),
    identity: connection.prepare('SELECT verifier_key FROM identity'),
    at: connection.prepare(`SELECT ${whole} FROM entries WHERE idx = ?`),
    find: connection.prepare(`SELECT ${whole} FROM entries WHERE name = ? AND scope = ?`),
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
    updateHead: connection.prepare('UPDATE head SET size = ?, frontier = ?, recorded_at = ?, checkpoint = ?'),
    lists: prepareLists(connection, whole),
  };
}

/** Missing in an earlier version of the file, which is only read. */
function prepareCurrent(connection: SqliteDatabase['connection']) {
  return {
    insertEntry: connection.prepare(
      `INSERT INTO entries (idx, scope, name, author, recorded_at, digest, leaf, nodes, salt, content, provenance)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertDocument: connection.prepare('INSERT INTO documents (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    document: connection.prepare('SELECT digest, content FROM documents WHERE digest = ?'),
    documents: connection.prepare('SELECT digest FROM documents ORDER BY digest'),
  };
}

const EITHER = [false, true] as const;

/** One statement for each combination of filters, so that each uses the best index. */
function prepareLists(
  connection: SqliteDatabase['connection'],
  whole: string,
): Readonly<Record<string, StatementSync>> {
  const lists: Record<string, StatementSync> = {};
  for (const byScope of EITHER) {
    for (const byAuthor of EITHER) {
      // With both filters, the rows of the index of the scope are counted.
      const author = byScope ? '+author' : 'author';
      const filters = `${byScope ? ' AND scope = ?' : ''}${byAuthor ? ` AND ${author} = ?` : ''}`;
      for (const withContent of EITHER) {
        for (const newestFirst of EITHER) {
          lists[listKey(byScope, byAuthor, withContent, newestFirst)] = connection.prepare(
            `SELECT ${withContent ? whole : ENTRY_COLUMNS} FROM entries
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
