// The tables, which `ect db init` and `ect db migrate` create. The service itself never creates or changes them.

/** The schema of all tables. */
export const SCHEMA = 'ect';

/** The changes from one version to the next. There are no downgrades. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * `ledger` is the first column of each key, so that several ledgers can share one database or be spread over several. Names are bytes,
 * because they may contain U+0000, which TEXT cannot, and because their order must not depend on the collation of the database.
 *
 * `entries.nodes` contains the hashes of the subtrees that the entry completes (`tree-layout.ts`), 32 bytes each. Each commit updates the
 * one row of `head`. Its page has free space for the next versions, so that no index changes with it.
 *
 * `ledger || ''` in some indexes hides them from statements that look for a name or a key. While the server has no statistics of a new
 * table, it could choose such an index and read a whole scope. So each statement has one index that it can use.
 *
 * The triggers prevent mistakes and stray SQL, even of the owner. They do not stop an owner who drops them; the checkpoints that others
 * hold reveal such changes.
 */
const FIRST = `
  CREATE TABLE ect.schema_version (version integer NOT NULL);
  INSERT INTO ect.schema_version VALUES (0);

  CREATE TABLE ect.identities (
    ledger       text NOT NULL PRIMARY KEY,
    verifier_key text NOT NULL
  );

  CREATE TABLE ect.head (
    ledger      text   NOT NULL PRIMARY KEY,
    size        bigint NOT NULL CHECK (size >= 0),
    frontier    bytea  NOT NULL,
    recorded_at bigint NOT NULL,
    checkpoint  text   NOT NULL
  ) WITH (fillfactor = 20);

  CREATE TABLE ect.entries (
    ledger      text   NOT NULL,
    idx         bigint NOT NULL CHECK (idx >= 0),
    scope       bytea  NOT NULL,
    name        bytea  NOT NULL,
    author      bytea  NOT NULL,
    recorded_at bigint NOT NULL,
    digest      bytea  NOT NULL,
    leaf        bytea  NOT NULL,
    nodes       bytea  NOT NULL CHECK (length(nodes) >= 32),
    salt        bytea,
    content     bytea,
    PRIMARY KEY (ledger, idx)
  );
  CREATE UNIQUE INDEX entries_by_name ON ect.entries (ledger, name, scope);
  CREATE INDEX entries_by_scope ON ect.entries ((ledger || ''), scope, idx);
  CREATE INDEX entries_by_author ON ect.entries ((ledger || ''), author, idx);

  CREATE TABLE ect.once (
    ledger     text     NOT NULL,
    kind       smallint NOT NULL,
    key        bytea    NOT NULL CHECK (length(key) = 32),
    digest     bytea    NOT NULL,
    label      bytea    NOT NULL,
    content    bytea    NOT NULL,
    keep_until bigint   NOT NULL,
    PRIMARY KEY (ledger, kind, key)
  );
  CREATE INDEX once_by_end ON ect.once ((ledger || ''), kind, keep_until);

  CREATE FUNCTION ect.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP; END $$;
  CREATE FUNCTION ect.refuse_shrinking() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
    BEGIN
      IF NEW.ledger <> OLD.ledger OR NEW.size <= OLD.size THEN RAISE EXCEPTION 'the head only grows'; END IF;
      RETURN NEW;
    END $$;

  CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON ect.entries
    FOR EACH ROW EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER entries_are_not_truncated BEFORE TRUNCATE ON ect.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER identities_stay BEFORE UPDATE OR DELETE ON ect.identities
    FOR EACH ROW EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER identities_are_not_truncated BEFORE TRUNCATE ON ect.identities
    FOR EACH STATEMENT EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER head_stays BEFORE DELETE ON ect.head
    FOR EACH ROW EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER head_is_not_truncated BEFORE TRUNCATE ON ect.head
    FOR EACH STATEMENT EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER head_only_grows BEFORE UPDATE ON ect.head
    FOR EACH ROW EXECUTE FUNCTION ect.refuse_shrinking();
`;

/** The triggers that an audit looks for. Without them rows could be changed or hidden. */
export const APPEND_ONLY_TRIGGERS: readonly string[] = [
  'entries_stay',
  'entries_are_not_truncated',
  'identities_stay',
  'identities_are_not_truncated',
  'head_stays',
  'head_is_not_truncated',
  'head_only_grows',
  'documents_stay',
  'documents_are_not_truncated',
];
export const INDEXES: readonly string[] = [
  'entries_pkey',
  'entries_by_name',
  'entries_by_scope',
  'entries_by_author',
  'head_pkey',
  'identities_pkey',
  'documents_pkey',
];

/**
 * `leases`: which process does the background work. Its one row is updated every few seconds, so its page has free space. `moved`:
 * ledgers that continue elsewhere.
 */
const SHARED = `
  CREATE TABLE ect.leases (
    ledger     text        NOT NULL,
    name       text        NOT NULL,
    holder     text        NOT NULL,
    token      bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (ledger, name)
  ) WITH (fillfactor = 20);

  CREATE TABLE ect.moved (
    ledger   text        NOT NULL PRIMARY KEY,
    target   text        NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
  );
`;

/**
 * The pending recordings; the table has its name from an earlier release. `due`, in milliseconds of the server's clock: for a pending
 * recording the end of its lease, for a failed one the time of its deletion. Completed recordings are deleted, so rows change all the
 * time: pages have free space, and dead rows are vacuumed early.
 */
const ORDERS = `
  CREATE TABLE ect.recording_orders (
    ledger     text    NOT NULL,
    key        bytea   NOT NULL CHECK (length(key) = 32),
    wid        bytea   NOT NULL,
    jti        bytea   NOT NULL,
    iss        bytea   NOT NULL,
    caller     bytea   NOT NULL,
    digest     bytea   NOT NULL CHECK (length(digest) = 32),
    token      bytea   NOT NULL,
    ordered_at bigint  NOT NULL,
    failure    bytea   NOT NULL,
    is_open    boolean NOT NULL,
    due        bigint  NOT NULL,
    PRIMARY KEY (ledger, key)
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
  CREATE INDEX recording_orders_by_due ON ect.recording_orders ((ledger || ''), is_open, due);
  CREATE INDEX recording_orders_of_callers ON ect.recording_orders ((ledger || ''), caller) WHERE is_open;
`;

/**
 * `entries.provenance`: see LedgerRecord; null in older entries. `documents`: documents that entries name by digest, such as policies. A
 * new column without a default changes no row, so the table is locked only briefly.
 */
const PROVENANCE = `
  ALTER TABLE ect.entries ADD COLUMN provenance bytea;
  ALTER TABLE ect.recording_orders ADD COLUMN provenance bytea;

  CREATE TABLE ect.documents (
    ledger  text  NOT NULL,
    digest  text  NOT NULL CHECK (length(digest) BETWEEN 1 AND 256),
    content bytea NOT NULL,
    PRIMARY KEY (ledger, digest)
  );
  CREATE TRIGGER documents_stay BEFORE UPDATE OR DELETE ON ect.documents
    FOR EACH ROW EXECUTE FUNCTION ect.refuse_change();
  CREATE TRIGGER documents_are_not_truncated BEFORE TRUNCATE ON ect.documents
    FOR EACH STATEMENT EXECUTE FUNCTION ect.refuse_change();
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: FIRST },
  { version: 2, sql: SHARED + ORDERS },
  { version: 3, sql: PROVENANCE },
];

/** The version that this release reads and writes. */
export const SCHEMA_VERSION = 3;

/**
 * Returns the privileges of the service's role: for append-only tables to read and insert, and no more. `role` must be quoted already.
 */
export function grants(role: string): string {
  return `
    GRANT USAGE ON SCHEMA ect TO ${role};
    GRANT SELECT ON ect.schema_version TO ${role};
    GRANT SELECT, INSERT ON ect.identities, ect.entries, ect.documents TO ${role};
    GRANT SELECT, INSERT, UPDATE (size, frontier, recorded_at, checkpoint) ON ect.head TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ect.once, ect.recording_orders TO ${role};
    GRANT SELECT, INSERT, UPDATE ON ect.leases TO ${role};
    GRANT SELECT, INSERT, DELETE ON ect.moved TO ${role};
  `;
}
