// Checks the kind and version of a file: a file of another kind, or of a newer release, is rejected before any change.

import type { DatabaseSync } from 'node:sqlite';
import { EctError, reject } from '../../errors.ts';
import type { FileReasons } from './failures.ts';
import { schemaFault } from './schema-check.ts';

/** The content of a file. */
export interface Layout {
  /** Identifies our files: SQLite's `application_id`. */
  readonly applicationId: number;
  /** Incremented with every change of the schema: SQLite's `user_version`. */
  readonly version: number;
  /** Statements that create the schema in an empty file. */
  readonly schema: string;
  /** Whether the file releases the space of deleted rows. Set when the file is created. */
  readonly shrinks?: boolean;
  /** Statements that upgrade each earlier version to the next one. */
  readonly upgrades?: Readonly<Record<number, string>>;
  /** The schemas of earlier versions that can be read without an upgrade. */
  readonly readable?: Readonly<Record<number, string>>;
}

interface FileMarks {
  readonly applicationId: number;
  readonly version: number;
  readonly tables: number;
}

/** A file that is being opened: its connection, and how to write under its lock. */
interface Opening {
  readonly connection: DatabaseSync;
  write(work: () => void): void;
}

/** Creates the schema of an empty file, in one transaction, and switches to a write-ahead file. */
export function prepareLayout(opening: Opening, file: string, layout: Layout, reasons: FileReasons): void {
  const { connection } = opening;
  if (isEmpty(readMarks(connection))) {
    if (layout.shrinks === true) connection.exec('PRAGMA auto_vacuum=INCREMENTAL');
    opening.write(() => {
      // Another process may have created it while we waited for the lock.
      if (!isEmpty(readMarks(connection))) return;
      connection.exec(layout.schema);
      connection.exec(`PRAGMA application_id=${layout.applicationId}; PRAGMA user_version=${layout.version}`);
    });
  }
  upgrade(opening, layout);
  rejectOtherLayout(connection, file, layout, reasons);
  rejectOtherSchema(connection, file, layout, reasons);
  useWriteAheadFile(connection, file, reasons);
}

/** Upgrades a file from an earlier version, in one transaction. */
function upgrade(opening: Opening, { applicationId, version, upgrades = {} }: Layout): void {
  const { connection } = opening;
  const isOlder = () => {
    const marks = readMarks(connection);
    return marks.applicationId === applicationId && marks.version < version && upgrades[marks.version] !== undefined;
  };
  if (!isOlder()) return;
  opening.write(() => {
    // Another process may have upgraded it while we waited for the lock.
    while (isOlder()) {
      const from = readMarks(connection).version;
      connection.exec(`${upgrades[from]}; PRAGMA user_version=${from + 1}`);
    }
  });
}

/** The layout of a file that is read without an upgrade: this one, or an earlier version. */
export function layoutOf(connection: DatabaseSync, layout: Layout): Pick<Layout, 'version' | 'schema'> {
  const { version } = readMarks(connection);
  const schema = layout.readable?.[version];
  return schema === undefined ? layout : { version, schema };
}

/** Rejects a file of another layout. `readOnly`: it may be of an earlier version that can be read. */
export function rejectOtherLayout(
  connection: DatabaseSync,
  file: string,
  layout: Layout,
  reasons: FileReasons,
  readOnly = false,
): void {
  const { version, upgrades = {}, readable = {} } = layout;
  const marks = readMarks(connection);
  if (isEmpty(marks)) {
    throw new EctError(
      reject(reasons.unavailable, `${file} is empty: start the service once to create the ${reasons.what}.`),
    );
  }
  if (marks.applicationId !== layout.applicationId) {
    const message = `${file} does not hold a ${reasons.what}: check the path, or restore the file from a backup.`;
    throw new EctError(reject(reasons.corrupt, message));
  }
  if (marks.version > version) {
    const message =
      `${file} was written by a newer release (schema ${marks.version}, this release knows ${version}): ` +
      'start that release, or restore a backup that is older than the upgrade.';
    throw new EctError(reject(reasons.unavailable, message));
  }
  if (readOnly && readable[marks.version] !== undefined) return;
  // For reading only: a writer has upgraded it.
  if (upgrades[marks.version] !== undefined) {
    const message =
      `${file} was written by an older release (schema ${marks.version}, this release knows ${version}): ` +
      'use that release, or start this one once, which brings the file up to date.';
    throw new EctError(reject(reasons.unavailable, message));
  }
  if (marks.version !== version) {
    const message = `${file} has the unknown schema ${marks.version}: restore the file from a backup.`;
    throw new EctError(reject(reasons.corrupt, message));
  }
}

/** A changed trigger or index would permit what it should prevent. */
function rejectOtherSchema(connection: DatabaseSync, file: string, layout: Layout, reasons: FileReasons): void {
  const fault = schemaFault(connection, layout);
  if (fault === undefined) return;
  throw new EctError(reject(reasons.corrupt, `${file} is damaged: ${fault}. Restore the file from a backup.`));
}

function useWriteAheadFile(connection: DatabaseSync, file: string, reasons: FileReasons): void {
  const answer = connection.prepare('PRAGMA journal_mode=WAL').get();
  if (answer?.['journal_mode'] === 'wal') return;
  const message = `${file} cannot have a write-ahead file: put the ${reasons.what} on a local file system.`;
  throw new EctError(reject(reasons.unavailable, message));
}

function isEmpty(marks: FileMarks): boolean {
  return marks.applicationId === 0 && marks.version === 0 && marks.tables === 0;
}

function readMarks(connection: DatabaseSync): FileMarks {
  return {
    applicationId: numberOf(connection, 'SELECT application_id AS n FROM pragma_application_id'),
    version: numberOf(connection, 'SELECT user_version AS n FROM pragma_user_version'),
    tables: numberOf(connection, 'SELECT count(*) AS n FROM sqlite_schema'),
  };
}

function numberOf(connection: DatabaseSync, sql: string): number {
  return Number(connection.prepare(sql).get()?.['n'] ?? 0);
}
