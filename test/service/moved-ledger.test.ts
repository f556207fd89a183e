// A service whose ledger moves from its directory into PostgreSQL and back: callers notice nothing but the pause.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ledgerCopier } from '../../src/ledger-copy/index.ts';
import { checkpointOf, issueRecorded, type Task, use } from '../backup/installation.ts';
import { ect } from '../cli/run.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { describeWithPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { type ServiceProcess, type Settings, startService } from '../support/service-process.ts';

describeWithPostgres('a ledger that moves', () => {
  let server: PostgresServer;
  let folder: string;
  beforeAll(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'ect-moved-'));
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** What every place has to know of the places before. */
  const tasks: Task[] = [];
  let places = 0;

  async function work(service: ServiceProcess): Promise<void> {
    using client = dial(service.address);
    for (const [n, task] of tasks.entries()) {
      expect((await issueRecorded(client, `key-${n}`)).token).toBe(task.token);
      expect(await use(client, task.token)).toMatchObject({
        valid: false,
        finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' },
      });
    }
    const task = await issueRecorded(client, `key-${tasks.length}`);
    expect(await use(client, task.token)).toMatchObject({ valid: true });
    tasks.push(task);
    // The two entries about the key, and one for each task.
    expect(await checkpointOf(client)).toMatch(new RegExp(`^\\S+\n${2 + tasks.length}\n`));
    places++;
  }

  test('L40, R8: continues in each place: the same tokens under request ids, no token used twice, one history', async () => {
    await using first = await startService();
    await work(first);
    expect(await first.stop()).toBe(0);
    const database = await server.makeDatabase('moved');
    const keys = {
      ECT_LEDGER_KEY_FILE: join(first.dataDir, 'ledger.key'),
      ECT_LOCAL_KEY_FILE: join(first.dataDir, 'signing-key.pem'),
    };
    const copied = await ect(['ledger', 'copy', first.dataDir, 'postgres'], '', database);
    expect(copied).toMatchObject({ code: 0, out: expect.stringContaining('data-dir:signing-key.pem') });
    // The place before is not continued.
    await expect(first.restart()).rejects.toThrow('continued in both places it would have two histories');

    const settings: Settings = { ...database, ...keys, ECT_STORE: 'postgres' };
    await using second = await startService(settings);
    await work(second);
    expect(await second.stop()).toBe(0);
    const back = join(folder, 'back');
    const returned = await ect(['ledger', 'copy', 'postgres', back], '', { ...database, ...keys });
    expect(returned).toMatchObject({ code: 0 });
    await expect(second.restart()).rejects.toThrow('continued in both places it would have two histories');

    await using third = await startService({ ECT_DATA_DIR: back, ECT_LOCAL_KEY_FILE: keys.ECT_LOCAL_KEY_FILE });
    await work(third);
    expect(await third.stop()).toBe(0);
    expect(await ect(['audit', join(back, 'ledger.db')])).toMatchObject({ code: 0 });
    // The database has the beginning of it still, and gets the rest.
    expect(await ect(['ledger', 'copy', back, 'postgres'], '', database)).toMatchObject({ code: 0 });
    await second.restart();
    await work(second);
    expect(places).toBe(4);
  });

  test('L40: over a copy that was interrupted no replica starts', async () => {
    await using service = await startService();
    using client = dial(service.address);
    for (let n = 0; n < 3; n++) await issueRecorded(client, `key-${n}`);
    await service.stop();
    const database = await server.makeDatabase('unfinished');
    const interrupt = () => {
      throw new Error('interrupted');
    };
    await expect(ledgerCopier(database).toDatabase(service.dataDir, interrupt)).rejects.toThrow('interrupted');
    const replica = startService({
      ...database,
      ECT_STORE: 'postgres',
      ECT_LEDGER_KEY_FILE: join(service.dataDir, 'ledger.key'),
      ECT_LOCAL_KEY_FILE: join(service.dataDir, 'signing-key.pem'),
    });
    await expect(replica).rejects.toThrow('The database holds an unfinished copy of a ledger, 4 entries');
    // And the place before goes on.
    await service.restart();
  });
});
