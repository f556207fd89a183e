// The tables of a ledger. Triggers prevent changes of entries and identity on every connection.

import type { Layout } from './layout.ts';

/**
 * The triggers prevent mistakes and stray SQL. They do not prevent someone who can write the file from dropping them; then the
 * checkpoints that others have show the change.
 *
 * `entries.idx` is the row id, so each index on `scope` and `author` is also sorted by it. `nodes` are the hashes of the subtrees that
 * the entry completes (`tree-layout.ts`), 32 bytes each: separate rows would cost as much as the entry. `content` is the last column, so
 * that reading the others does not read its pages.
 */
const SECOND = `
    CREATE TABLE entries (
      idx         INTEGER PRIMARY KEY,
      scope       TEXT    NOT NULL,
      name        TEXT    NOT NULL,
      author      TEXT    NOT NULL,
      recorded_at INTEGER NOT NULL,
      digest      BLOB    NOT NULL,
      leaf        BLOB    NOT NULL,
      nodes       BLOB    NOT NULL CHECK (length(nodes) >= 32),
      salt        BLOB,
      content     BLOB
    ) STRICT;
    CREATE UNIQUE INDEX entries_by_name ON entries (name, scope);
    CREATE INDEX entries_by_scope ON entries (scope);
    CREATE INDEX entries_by_author ON entries (author);

    CREATE TABLE head (
      id          INTEGER PRIMARY KEY CHECK (id = 1),
      size        INTEGER NOT NULL,
      frontier    BLOB    NOT NULL,
      recorded_at INTEGER NOT NULL,
      checkpoint  TEXT    NOT NULL
    ) STRICT;

    CREATE TABLE identity (
      id           INTEGER PRIMARY KEY CHECK (id = 1),
      verifier_key TEXT NOT NULL
    ) STRICT;

    CREATE TRIGGER entries_only_at_the_end BEFORE INSERT ON entries
      WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entries)
      BEGIN SELECT RAISE(ABORT, 'entries are added at the end'); END;
    CREATE TRIGGER entries_stay BEFORE DELETE ON entries
      BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
    CREATE TRIGGER entries_never_change
      BEFORE UPDATE OF idx, scope, name, author, recorded_at, digest, leaf, nodes ON entries
      BEGIN SELECT RAISE(ABORT, 'entries never change'); END;
    CREATE TRIGGER entries_only_erased BEFORE UPDATE OF salt, content ON entries
      WHEN NEW.salt IS NOT NULL OR NEW.content IS NOT NULL
      BEGIN SELECT RAISE(ABORT, 'content and salt can only be erased, together'); END;

    CREATE TRIGGER head_stays BEFORE DELETE ON head
      BEGIN SELECT RAISE(ABORT, 'the head is never deleted'); END;
    CREATE TRIGGER head_only_grows BEFORE UPDATE ON head
      WHEN NEW.size < OLD.size
      BEGIN SELECT RAISE(ABORT, 'the head never shrinks'); END;
    CREATE TRIGGER identity_stays BEFORE DELETE ON identity
      BEGIN SELECT RAISE(ABORT, 'the identity is never deleted'); END;
    CREATE TRIGGER identity_never_changes BEFORE UPDATE ON identity
      BEGIN SELECT RAISE(ABORT, 'the identity never changes'); END;
`;

/**
 * `provenance`: see LedgerRecord; null in entries of older releases. `documents`: what entries name by digest, such as policies. A new
 * file runs through the same statements, so that its schema equals that of an upgraded one.
 */
const PROVENANCE = `
    ALTER TABLE entries ADD COLUMN provenance BLOB;
    DROP TRIGGER entries_only_erased;
    CREATE TRIGGER entries_only_erased BEFORE UPDATE OF salt, content, provenance ON entries
      WHEN NEW.salt IS NOT NULL OR NEW.content IS NOT NULL OR NEW.provenance IS NOT NULL
      BEGIN SELECT RAISE(ABORT, 'content, salt and provenance can only be erased, together'); END;

    CREATE TABLE documents (
      digest  TEXT PRIMARY KEY NOT NULL CHECK (length(digest) BETWEEN 1 AND 256),
      content BLOB NOT NULL
    ) STRICT;
    CREATE TRIGGER documents_stay BEFORE DELETE ON documents
      BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END;
    CREATE TRIGGER documents_never_change BEFORE UPDATE ON documents
      BEGIN SELECT RAISE(ABORT, 'documents never change'); END;
`;

export const LEDGER_LAYOUT: Layout = {
  applicationId: 0x4543544c, // "ECTL"
  version: 3,
  schema: SECOND + PROVENANCE,
  upgrades: { 2: PROVENANCE },
  // Reading needs no upgrade: a start compares a ledger with its mark before it changes anything.
  readable: { 2: SECOND },
};

/** Whether a file has the changes of version 3. */
export function hasProvenance({ version }: Pick<Layout, 'version'>): boolean {
  return version >= 3;
}
