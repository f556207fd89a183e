// `ect db`: creates the tables of the service in a PostgreSQL database, or changes them to the version of this release. The service
// itself never changes its tables, so its role needs no right to do so.

import { Command } from 'commander';
import { Rejected } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';

/** The change to make, and the role of the service that it is for. */
export interface SchemaRequest {
  readonly kind: 'init' | 'migrate';
  readonly role: string | undefined;
}

/** Changes the database that the settings of the environment name. It is a parameter, because only the process itself reads settings. */
export type ChangeSchema = (request: SchemaRequest) => Promise<{ readonly from: number; readonly to: number }>;

/** Returns the error for a change that was not made. */
export function databaseRejected(message: string): Rejected {
  return new Rejected({ reason: 'database_unusable', message, remedy: '', metadata: {} });
}

interface DbOptions extends OutputOptions {
  readonly role?: string;
}

export function dbCommand(io: Io, change: ChangeSchema): Command {
  return new Command('db')
    .description('make or migrate the tables in the database of ECT_POSTGRES_URL')
    .addCommand(
      schemaCommand(io, change, 'init', 'make the tables in a database that has none', [
        'ECT_POSTGRES_URL=postgres://owner@db.example.org/ect ect db init --role ect_service',
      ]),
    )
    .addCommand(
      schemaCommand(io, change, 'migrate', 'bring the tables to the version of this release; forward only', [
        'ECT_POSTGRES_URL=postgres://owner@db.example.org/ect ect db migrate',
        'ECT_POSTGRES_URL=postgres://owner@db.example.org/ect ect db migrate --role ect_service',
      ]),
    );
}

function schemaCommand(
  io: Io,
  change: ChangeSchema,
  kind: SchemaRequest['kind'],
  description: string,
  examples: readonly string[],
): Command {
  const command = new Command(kind)
    .description(description)
    .option('--role <name>', 'the role of the service, which is given the rights that it needs and no more');
  withHelp(withJson(command, ['from', 'to']), {
    examples: [...examples],
    rejected: 'nothing was changed: the database cannot be reached, or its tables are not of the expected version',
  });
  return command.action((options: DbOptions) =>
    attempt(io, options, async () => {
      const { from, to } = await change({ kind, role: options.role });
      if (options.json) {
        printJson(io, { from, to });
        return;
      }
      const sentence = from === to ? `the tables are of version ${to} already` : `the tables are now of version ${to}`;
      print(io, paint(io.stdout, 'green', `✓ ${sentence}`));
      if (options.role === undefined) remark(io, 'Give the role of the service its rights: `ect db migrate --role`.');
      else print(io, `  ${plain(options.role)} may read, and add to what is append-only`);
    }),
  );
}
