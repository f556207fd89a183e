// The tables of a ledger. Triggers prevent changes of entries and identity on every connection.

import type { Layout } from './layout.ts';

/**
 * The triggers stop mistakes and stray SQL. They do not stop somebody who can write the file: he can drop them, and then
 * the checkpoints that others hold give him away.
 *
 * `entries.idx` is the row id, so each index on `scope` and `author` is sorted by it too. `nodes` are the hashes of the
 * subtrees that the entry completes (`tree-layout.ts`), 32 bytes each: rows of their own would cost as much as the entry.
 * `content` is the last column: reading the others does not touch its pages.
 */
export const LEDGER_LAYOUT: Layout = {
  applicationId: 0x4543544c, // "ECTL"
  version: 2,
  schema: `
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
  `,
};
