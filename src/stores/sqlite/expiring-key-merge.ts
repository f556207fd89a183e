// Merges one `once.db` into another: a use in either stays used, and a pending recording in either is completed.

import { EXPIRING_KEYS } from '../store-reasons.ts';
import { EXPIRING_KEY_LAYOUT, type ExpiringKeyTableName } from './expiring-key-layout.ts';
import { openDatabase } from './open-database.ts';

const COLUMNS = 'key, digest, label, content, keep_until';
/** A row that the first file lacks, or has with an earlier expiry. */
const lackedOf = (table: ExpiringKeyTableName) => `
  FROM other.${table} AS theirs WHERE NOT EXISTS (
    SELECT 1 FROM main.${table} AS mine WHERE mine.key = theirs.key AND mine.keep_until >= theirs.keep_until)`;

/**
 * Adds the rows of the file at `other` that the file at `path` lacks, in one transaction, and returns their number. Of two rows with one
 * key the one with the later expiry stays. No service may have either file open.
 */
export async function addMissingKeys(path: string, other: string): Promise<number> {
  const database = openDatabase(path, EXPIRING_KEY_LAYOUT, EXPIRING_KEYS);
  try {
    const { connection } = database;
    database.read(() => connection.prepare('ATTACH DATABASE ? AS other').run(other));
    return await database.writeDurably(() => {
      let added = 0;
      for (const table of ['uses', 'issued'] as const) {
        const lacked = lackedOf(table);
        const { changes } = connection
          .prepare(`INSERT OR REPLACE INTO main.${table} (${COLUMNS}) SELECT ${COLUMNS} ${lacked} ORDER BY rowid`)
          .run();
        added += Number(changes);
        const left = connection.prepare(`SELECT count(*) AS n ${lacked}`).get()?.['n'];
        if (left !== 0) throw new Error(`${String(left)} rows of ${table} were not taken over`);
      }
      // A recording that was completed since is completed again, because the ledger of the other file may lack its entry.
      const { changes } = connection.prepare('INSERT OR IGNORE INTO main.orders SELECT * FROM other.orders').run();
      return added + Number(changes);
    });
  } finally {
    await database.end();
  }
}
