// Several servers in one target, of which one is there.

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  changeSchema,
  PostgresDatabase,
  PostgresLedgerStore,
  type PostgresTarget,
} from '../../../src/stores/postgres/index.ts';
import {
  describeWithPostgres,
  PASSWORD,
  type PostgresServer,
  SERVICE_ROLE,
  startPostgres,
} from '../../support/postgres.ts';

const NOWHERE = { host: '/nowhere', port: 1 };

describeWithPostgres('PostgreSQL among servers that are not there', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ hasTables: false });
  });
  afterAll(() => server.stop());

  const amongOthers = (user?: string): PostgresTarget => {
    const target = server.target(user);
    return { ...target, ...NOWHERE, others: [{ host: target.host, port: target.port }] };
  };

  test('L20: the tables are made on the primary, and the service finds it and says which one it is', async () => {
    const order = { kind: 'init', role: SERVICE_ROLE } as const;
    expect(await changeSchema(amongOthers('postgres'), order)).toMatchObject({ from: 0 });
    const reported: string[] = [];
    const database = new PostgresDatabase(
      amongOthers(),
      2,
      {},
      {
        databaseLost: () => reported.push('lost'),
        databaseFound: (address, downMs) => reported.push(`found ${address} ${downMs}`),
      },
    );
    await database.examine();
    expect(await new PostgresLedgerStore(database).head()).toBeUndefined();
    expect(reported).toEqual([`found ${server.host}:${server.port} undefined`]);
    await database.close();
  });

  test('L20: where none can be used a start is rejected, and each of them is named with what to do, without the password', async () => {
    const target = { ...amongOthers(), database: 'elsewhere' };
    const database = new PostgresDatabase(target, 2);
    const rejection = await database.examine().catch((error: unknown) => error as Error);
    expect(rejection).toMatchObject({ name: 'UnfitDatabase' });
    const { message, cause } = rejection as Error;
    expect(message).toContain('/nowhere:1: The database of the service cannot be reached.');
    expect(message).toContain(`${server.host}:${server.port}: The database of the service does not exist`);
    expect(`${message}${String(cause)}`).not.toContain(PASSWORD);
    await database.close();
    const nobody = { ...target, others: [{ host: '/nobody', port: 2 }] };
    await expect(changeSchema(nobody, { kind: 'init', role: undefined })).rejects.toThrow('/nobody:2: ');
  });
});
