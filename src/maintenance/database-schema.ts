// Changes the tables of the database for `ect db`. Only the settings of the database are read.

import { type ChangeSchema, databaseRejected } from '../cli/db.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { databaseSettings } from './database-settings.ts';

/** `env` contains the settings. */
export function schemaChanger(env: Readonly<Record<string, string | undefined>>): ChangeSchema {
  return async (request) => {
    const target = await postgresTarget(databaseSettings(env));
    // Other commands do not load the driver.
    const { changeSchema, UnfitDatabase } = await import('../stores/postgres/index.ts');
    try {
      return await changeSchema(target, request);
    } catch (error) {
      throw error instanceof UnfitDatabase ? databaseRejected(error.message) : error;
    }
  };
}
