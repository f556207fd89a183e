// Brings what one file remembers once into another: a use that either of them knows stays used, and an order that either of them
// has is carried out.

import { EXPIRING_KEY_LAYOUT, type ExpiringKeyTableName } from './expiring-key-layout.ts';
import type { StoreReasons } from './failures.ts';
import { openDatabase } from './open-database.ts';

const REASONS: StoreReasons = {
  unavailable: 'REPLAY_GUARD_UNAVAILABLE',
  corrupt: 'ONCE_CORRUPT',
  what: 'memory of used tokens',
};

const COLUMNS = 'key, digest, label, content, keep_until';
/** A row that the first file lacks, or would forget earlier than the other. */
const lackedOf = (table: ExpiringKeyTableName) => `
  FROM other.${table} AS theirs WHERE NOT EXISTS (
    SELECT 1 FROM main.${table} AS mine WHERE mine.key = theirs.key AND mine.keep_until >= theirs.keep_until)`;

/**
 * Adds the rows of the file at `other` that the file at `path` lacks, in one transaction, and returns how many these were. Of two
 * rows under one key the one that is kept longer stays. No service may have either of them open.
 */
export async function addMissingKeys(path: string, other: string): Promise<number> {
  const database = openDatabase(path, EXPIRING_KEY_LAYOUT, REASONS);
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
      // One that was carried out since is carried out again: the ledger that goes with the other file may lack its entry.
      const { changes } = connection.prepare('INSERT OR IGNORE INTO main.orders SELECT * FROM other.orders').run();
      return added + Number(changes);
    });
  } finally {
    await database.end();
  }
}
