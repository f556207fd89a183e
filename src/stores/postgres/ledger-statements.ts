// The SQL of a ledger. `ledger` is always $1, so that the rows of several ledgers stay separate.

import type { Candidate, Head, LedgerDocument, SealedBatch } from '../../ledger/index.ts';
import { HASH_BYTES } from '../ledger-rows.ts';
import { completingLeaf, hashesByLeaf } from '../tree-layout.ts';
import { bigintArray, byteaArray } from './binary-arrays.ts';
import type { Statement } from './database.ts';
import { ENTRY_COLUMNS, ENTRY_COLUMNS_WITH_CONTENT } from './ledger-rows.ts';

/** Each statement must see what was committed before it, so the transaction must not use one snapshot. */
export const BEGIN: Statement = { text: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE' };
export const COMMIT: Statement = { text: 'COMMIT' };

const HEAD = 'SELECT size, frontier, recorded_at, checkpoint FROM ect.head WHERE ledger = $1';

export function readHead(ledger: string): Statement {
  return { name: 'head', text: HEAD, values: [ledger] };
}

/** Locks the row of the head until the transaction ends, so that one process at a time extends the ledger. */
export function lockHead(ledger: string): Statement {
  return { name: 'lock-head', text: `${HEAD} FOR UPDATE`, values: [ledger] };
}

/** Inserts the first head and the identity, if there is no head. */
export function insertHead(ledger: string, head: Head, identity: string): Statement {
  return {
    text: `WITH begun AS (
             INSERT INTO ect.head (ledger, size, frontier, recorded_at, checkpoint) VALUES ($1, 0, '', $2, $3)
             ON CONFLICT DO NOTHING RETURNING ledger)
           INSERT INTO ect.identities (ledger, verifier_key) SELECT ledger, $4 FROM begun`,
    values: [ledger, head.recordedAtMs, head.checkpoint, identity],
  };
}

export function readIdentity(ledger: string): Statement {
  return { text: 'SELECT verifier_key FROM ect.identities WHERE ledger = $1', values: [ledger] };
}

/** Reads the entry of each name, with its `place` in the order of `names`. There is no row for an unknown name. */
export function findAll(ledger: string, names: readonly Pick<Candidate, 'scope' | 'name'>[]): Statement {
  return {
    name: 'find',
    text: `SELECT wanted.place, ${ENTRY_COLUMNS_WITH_CONTENT}
           FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS wanted (scope, name, place)
           JOIN LATERAL (
             SELECT * FROM ect.entries WHERE ledger = $1 AND name = wanted.name AND scope = wanted.scope LIMIT 1) AS e ON true`,
    values: [
      ledger,
      byteaArray(names.map(({ scope }) => Buffer.from(scope))),
      byteaArray(names.map(({ name }) => Buffer.from(name))),
    ],
  };
}

/**
 * Updates the head and inserts the entries in one statement. The entries are inserted only if the head still has `oldSize`, so two
 * processes never fork the ledger, even if the lock fails. The row count is the number of entries; 0: the head has changed.
 */
export function extend(ledger: string, oldSize: number, { records, nodes, head }: SealedBatch): Statement {
  return {
    name: 'extend',
    text: `WITH moved AS (
             UPDATE ect.head SET size = $3, frontier = $4, recorded_at = $5, checkpoint = $6
             WHERE ledger = $1 AND size = $2 RETURNING ledger)
           INSERT INTO ect.entries (ledger, idx, scope, name, author, recorded_at, digest, leaf, nodes, salt, content, provenance)
           SELECT moved.ledger, added.* FROM moved, unnest(
             $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[],
             $15::bytea[], $16::bytea[], $17::bytea[]) AS added`,
    values: [
      ledger,
      oldSize,
      head.size,
      Buffer.concat(head.frontier),
      head.recordedAtMs,
      head.checkpoint,
      bigintArray(records.map(({ index }) => index)),
      byteaArray(records.map(({ scope }) => Buffer.from(scope))),
      byteaArray(records.map(({ name }) => Buffer.from(name))),
      byteaArray(records.map(({ author }) => Buffer.from(author))),
      bigintArray(records.map(({ recordedAtMs }) => recordedAtMs)),
      byteaArray(records.map(({ digest }) => digest)),
      byteaArray(records.map(({ leaf }) => leaf)),
      byteaArray(hashesByLeaf(nodes).map((hashes) => Buffer.concat(hashes))),
      byteaArray(records.map(({ salt }) => salt)),
      byteaArray(records.map(({ content }) => content)),
      byteaArray(records.map(({ provenance }) => provenance)),
    ],
  };
}

/** Inserts a document, unless one with its digest exists. */
export function insertDocument(ledger: string, { digest, content }: LedgerDocument): Statement {
  return {
    text: 'INSERT INTO ect.documents (ledger, digest, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [ledger, digest, content],
  };
}

export function readDocument(ledger: string, digest: string): Statement {
  return {
    text: 'SELECT digest, content FROM ect.documents WHERE ledger = $1 AND digest = $2',
    values: [ledger, digest],
  };
}

/** Lists digests in the order of their bytes, independent of the collation of the database. */
export function listDocuments(ledger: string): Statement {
  return { text: 'SELECT digest FROM ect.documents WHERE ledger = $1 ORDER BY digest COLLATE "C"', values: [ledger] };
}

/** Reads the entry, and the size of the ledger at the same time. */
export function readEntry(ledger: string, index: number): Statement {
  return {
    name: 'entry',
    text: `SELECT (SELECT size FROM ect.head WHERE ledger = $1) AS size, ${ENTRY_COLUMNS_WITH_CONTENT}
           FROM (VALUES (1)) AS one LEFT JOIN ect.entries e ON e.ledger = $1 AND e.idx = $2`,
    values: [ledger, index],
  };
}

/** Reads the meaning of each name in a scope, with its `place`: see LedgerStore. It reads at most three rows for each name. */
export function nearest(ledger: string, scope: string, names: readonly string[]): Statement {
  const own = (condition: string, rank: number) =>
    `(SELECT ${ENTRY_COLUMNS}, ${rank} AS rank FROM ect.entries e
      WHERE e.ledger = $1 AND e.name = wanted.name AND ${condition} ORDER BY e.scope LIMIT 1)`;
  return {
    name: 'nearest',
    text: `SELECT wanted.place, found.* FROM unnest($3::bytea[]) WITH ORDINALITY AS wanted (name, place)
           JOIN LATERAL (
             ${own('e.scope = $2', 0)} UNION ALL ${own("e.scope = ''", 1)} UNION ALL ${own("e.scope > ''", 2)}
             ORDER BY rank LIMIT 1) AS found ON true`,
    values: [ledger, Buffer.from(scope), byteaArray(names.map((name) => Buffer.from(name)))],
  };
}

/** The rows to list. */
export interface Listing {
  readonly from: number;
  readonly before: number;
  readonly scope: string | undefined;
  readonly author: string | undefined;
  readonly limit: number;
  readonly withContent: boolean;
  readonly newestFirst: boolean;
}

export function list(ledger: string, listing: Listing): Statement {
  const { from, before, scope, author, limit, withContent, newestFirst } = listing;
  const filters = [
    ...(scope === undefined ? [] : [['scope', scope] as const]),
    ...(author === undefined ? [] : [['author', author] as const]),
  ];
  const ledgerColumn = filters.length === 0 ? 'e.ledger' : "e.ledger || ''";
  // With both filters the scan is counted in rows of the scope, so it must use that index: no index matches an expression.
  const columnOf = (column: string) =>
    filters.length === 2 && column === 'author' ? "(e.author || ''::bytea)" : `e.${column}`;
  const conditions = filters.map(([column], place) => ` AND ${columnOf(column)} = $${place + 5}`).join('');
  return {
    text: `SELECT ${withContent ? ENTRY_COLUMNS_WITH_CONTENT : ENTRY_COLUMNS} FROM ect.entries e
           WHERE ${ledgerColumn} = $1 AND e.idx >= $2 AND e.idx < $3${conditions}
           ORDER BY e.idx${newestFirst ? ' DESC' : ''} LIMIT $4`,
    values: [ledger, from, before, limit, ...filters.map(([, value]) => Buffer.from(value))],
  };
}

/**
 * Reads where to stop, so that `rows` entries of the scope are examined from `from` on, or backwards to before it. No row: the end is
 * reached.
 */
export function endOfScan(
  ledger: string,
  scope: string,
  side: { readonly from: number } | { readonly before: number },
  rows: number,
): Statement {
  const [condition, order, index] = 'from' in side ? ['>=', 'ASC', side.from] : ['<', 'DESC', side.before];
  return {
    text: `SELECT idx FROM ect.entries
           WHERE ledger || '' = $1 AND scope = $2 AND idx ${condition} $3 ORDER BY idx ${order} OFFSET $4 LIMIT 1`,
    values: [ledger, Buffer.from(scope), index, rows],
  };
}

/**
 * The time of an entry is never earlier than that of the previous one, so a binary search finds the first entry that is not before
 * `timeMs`. No row: an entry is missing.
 */
export function firstIndexSince(ledger: string, timeMs: number): Statement {
  return {
    text: `WITH RECURSIVE bounds (low, high) AS (
             SELECT 0::bigint, size FROM ect.head WHERE ledger = $1
             UNION ALL
             SELECT CASE WHEN e.recorded_at < $2 THEN e.idx + 1 ELSE bounds.low END,
                    CASE WHEN e.recorded_at < $2 THEN bounds.high ELSE e.idx END
             FROM bounds JOIN ect.entries e ON e.ledger = $1 AND e.idx = (bounds.low + bounds.high) / 2
             WHERE bounds.low < bounds.high)
           SELECT low AS idx FROM bounds WHERE low >= high`,
    values: [ledger, timeMs],
  };
}

/** Reads the hash of each place in the requested order; null if its leaf is missing. */
export function readNodes(
  ledger: string,
  wanted: readonly { readonly level: number; readonly index: number }[],
): Statement {
  return {
    name: 'nodes',
    text: `SELECT substr(e.nodes, wanted.start, ${HASH_BYTES}) AS hash
           FROM unnest($2::bigint[], $3::integer[]) WITH ORDINALITY AS wanted (leaf, start, place)
           LEFT JOIN ect.entries e ON e.ledger = $1 AND e.idx = wanted.leaf ORDER BY wanted.place`,
    values: [ledger, wanted.map(completingLeaf), wanted.map(({ level }) => level * HASH_BYTES + 1)],
  };
}
