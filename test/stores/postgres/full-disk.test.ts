// A ledger in PostgreSQL whose disk is full. The rows are in a small file system of their own, which can really be full.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresDatabase, PostgresLedgerStore } from '../../../src/stores/postgres/index.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { describeWhen } from '../../support/need.ts';
import { describeWithPostgres, giveToServer, type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../../support/small-disk.ts';

describeWhen(CAN_MOUNT, 'a small disk', NEED_TO_MOUNT, () => {
  describeWithPostgres('PostgreSQL', () => {
    let server: PostgresServer;
    beforeAll(async () => {
      server = await startPostgres();
    });
    afterAll(() => server.stop());

    test('L15, L20: a full disk of the server is STORAGE_FULL, reads go on, nothing is lost, and writing goes on when there is space', async () => {
      await using disk = await smallDisk(16, 8);
      const place = disk.file('rows');
      mkdirSync(place);
      chmodSync(place, 0o700);
      giveToServer(place);
      await server.sql(`CREATE TABLESPACE small LOCATION '${place}'`);
      await server.sql('ALTER TABLE ect.entries SET TABLESPACE small');
      const database = new PostgresDatabase(server.target(), 2);
      const store = new PostgresLedgerStore(database);
      await store.initialise(EMPTY_HEAD, 'test+key');
      const large = (name: string) => candidate(name, { content: randomBytes(150_000).toString('latin1') });
      const recorded: string[] = [];
      const fill = async () => {
        for (let n = recorded.length; n < 200; n++) {
          await store.commit([large(`entry ${n}`)], honestSeal());
          recorded.push(`entry ${n}`);
        }
      };
      await expect(fill()).rejects.toMatchObject({
        reason: 'STORAGE_FULL',
        message: expect.stringContaining('no space left on the disk of the database'),
      });
      expect(recorded.length).toBeGreaterThan(5);
      expect((await checkStore(store)).map(({ name }) => name)).toEqual(recorded);
      expect(database.isUp).toBe(true);
      disk.makeSpace();
      await store.commit([large('with space')], honestSeal());
      expect((await checkStore(store)).map(({ name }) => name)).toEqual([...recorded, 'with space']);
      await store.close();
      await database.close();
      // The server has the file system open for as long as there is something of it there.
      await server.sql('ALTER TABLE ect.entries SET TABLESPACE pg_default');
      await server.sql('DROP TABLESPACE small');
    });
  });
});
