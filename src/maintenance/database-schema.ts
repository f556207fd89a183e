// What `ect db` does: it changes the tables in the database that the settings name, and reads no other setting.

import { type ChangeSchema, databaseRejected } from '../cli/db.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { databaseSettings } from './database-settings.ts';

/** `env`: where the settings are. They need not be those of a service. */
export function schemaChanger(env: Readonly<Record<string, string | undefined>>): ChangeSchema {
  return async (request) => {
    const target = await postgresTarget(databaseSettings(env));
    // Only this command needs the driver.
    const { changeSchema, UnfitDatabase } = await import('../stores/postgres/index.ts');
    try {
      return await changeSchema(target, request);
    } catch (error) {
      throw error instanceof UnfitDatabase ? databaseRejected(error.message) : error;
    }
  };
}
