// Checks whether the tables, indexes and triggers of a file are exactly those of its layout. A schema that differs in one character may
// have another index, or a trigger without effect.

import { DatabaseSync } from 'node:sqlite';

/** The schema of a file: the statements that create it. */
interface Defined {
  readonly schema: string;
}

/** The differences between the schema of the file and its layout; undefined if there are none. */
export function schemaFault(connection: DatabaseSync, layout: Defined): string | undefined {
  const expected = expectedSchema(layout);
  const found = readSchema(connection);
  const names = new Set([...expected.keys(), ...found.keys()]);
  const different = [...names].filter((name) => expected.get(name) !== found.get(name));
  return different.length === 0 ? undefined : `the schema differs from that of this release: ${different.join(', ')}`;
}

const schemas = new WeakMap<Defined, ReadonlyMap<string, string>>();

function expectedSchema(layout: Defined): ReadonlyMap<string, string> {
  const known = schemas.get(layout);
  if (known !== undefined) return known;
  const empty = new DatabaseSync(':memory:');
  try {
    empty.exec(layout.schema);
    const schema = readSchema(empty);
    schemas.set(layout, schema);
    return schema;
  } finally {
    empty.close();
  }
}

/** Definitions by kind and name. Their position in the file is ignored. */
function readSchema(connection: DatabaseSync): ReadonlyMap<string, string> {
  const rows = connection.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema').all();
  return new Map(
    rows.map(({ type, name, tbl_name: table, sql }) => [
      `${String(type)} ${String(name)}`,
      JSON.stringify([table, sql]),
    ]),
  );
}
