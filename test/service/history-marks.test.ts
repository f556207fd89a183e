// Marks of the history that are missing, foreign or damaged: what a start makes of them.

import { cp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { runMain, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import {
  checkpointOf,
  KEY_ENTRIES,
  killedService,
  LONG_MS,
  recordMany,
  removeLedger,
  restoreEarly,
  startAgain,
} from './damaged-history.ts';
import { Witness } from './witness.ts';

describe('marks that are missing, foreign or damaged', () => {
  test(
    'L18 a directory of a release before marks gets one, and says so once',
    async () => {
      await using service = await startService();
      {
        using client = dial(service.address);
        await recordMany(client, 2);
      }
      expect(service.events('ledger-mark-made')).toEqual([]);
      expect(await service.stop()).toBe(0);
      await rm(join(service.dataDir, 'ledger.mark'));
      await service.restart();
      const reported = () => service.events('ledger-mark-made');
      await expect.poll(reported, SOON).toMatchObject([{ level: 'warn', size: String(KEY_ENTRIES + 2) }]);
      await service.kill();
      await service.restart();
      expect(reported()).toHaveLength(1);
      await service.kill();
      await removeLedger(service.dataDir);
      expect((await startAgain(service)).stderr).toContain(`has shown ${KEY_ENTRIES + 2} entries`);
    },
    LONG_MS,
  );

  test(
    'L6 one page of the mark is damaged, or the time that was kept: what is used instead is said by the start, and by an audit',
    async () => {
      await using service = await startService();
      {
        using client = dial(service.address);
        await recordMany(client, 2);
      }
      // Each process begins with the page after the newest one.
      expect(await service.stop()).toBe(0);
      await service.restart();
      expect(await service.stop()).toBe(0);
      const mark = join(service.dataDir, 'ledger.mark');
      const bytes = await readFile(mark);
      bytes[bytes.indexOf(`\n${KEY_ENTRIES + 2}\n`) - 1]! ^= 1;
      await writeFile(mark, bytes);
      await writeFile(join(service.dataDir, 'clock.json'), '{');
      const audit = await runMain(['audit', join(service.dataDir, 'ledger.db')]);
      expect(audit).toMatchObject({ code: 0, stderr: expect.stringContaining('1 page of ledger.mark cannot be read') });
      await service.restart();
      const reported = () => service.events('ledger-mark-damaged');
      await expect.poll(reported, SOON).toMatchObject([{ level: 'warn', pages: 1 }]);
      expect(service.events('clock-forgotten')).toHaveLength(1);
      expect(await service.stop()).toBe(0);
    },
    LONG_MS,
  );

  test(
    'L25 ledger and mark are gone, but once.db is there: rejected all the same',
    async () => {
      await using service = await startService();
      await service.kill();
      await removeLedger(service.dataDir);
      await rm(join(service.dataDir, 'ledger.mark'));
      const { code, stderr } = await startAgain(service);
      expect(code).toBe(1);
      expect(stderr).toContain('is missing or empty, but this directory has had a ledger');
    },
    LONG_MS,
  );

  test(
    'L14 the mark of another ledger is rejected, and so is one that is damaged',
    async () => {
      await using service = await startService();
      await using other = await startService();
      await Promise.all([service.kill(), other.kill()]);
      const mark = join(service.dataDir, 'ledger.mark');
      const own = await readFile(mark);
      await cp(join(other.dataDir, 'ledger.mark'), mark);
      expect((await startAgain(service)).stderr).toContain(
        `ledger.mark in ${service.dataDir} is not signed by the key`,
      );
      await writeFile(mark, Buffer.from(own.map((byte) => (byte === 0 ? 0 : byte ^ 1))));
      expect((await startAgain(service)).stderr).toContain(`ledger.mark in ${service.dataDir} is damaged`);
      await writeFile(mark, own);
      await service.restart();
    },
    LONG_MS,
  );
});

test.each([1, 2])(
  'L1 L3 SIGKILL at random moments under load, %i workers: no start is rejected wrongly, nothing acknowledged is lost',
  async (workers) => {
    await using service = await startService({ ECT_WORKERS: String(workers) });
    let witness: Witness | undefined;
    for (let round = 0; round < 6; round++) {
      const clients = [dial(service.address), dial(service.address)];
      try {
        const keys = await clients[0]!.call<{ ledger_verifier_key: string }>('ect.v1.KeyService/GetKeySet', {});
        witness ??= new Witness(keys.ledger_verifier_key);
        expect(await witness.faults(clients[0]!)).toEqual([]);
        let acknowledged = 0;
        const load = clients.flatMap((client) =>
          Array.from({ length: 8 }, async () => {
            for (;;) {
              await recordMany(client, 1);
              acknowledged++;
            }
          }).map((endless) => endless.catch(() => undefined)),
        );
        const checkpoints = (async () => {
          for (;;) witness.checkpoints.add(await checkpointOf(clients[1]!));
        })().catch(() => undefined);
        while (acknowledged < 20 + 13 * round) await new Promise((resolve) => setImmediate(resolve));
        await service.kill();
        await Promise.all([...load, checkpoints]);
      } finally {
        for (const client of clients) client[Symbol.dispose]();
      }
      await service.restart();
    }
    using client = dial(service.address);
    expect(await witness!.faults(client)).toEqual([]);
  },
  LONG_MS,
);

test(
  'L8 L25 `ect audit` holds a ledger against the mark beside it: old copies are named',
  async () => {
    await using service = await killedService();
    const ledger = join(service.dataDir, 'ledger.db');
    const whole = await runMain(['audit', ledger, '--json']);
    expect(JSON.parse(whole.stdout)).toMatchObject({ ok: true, treeSize: '12', mark: { treeSize: '12' } });
    await restoreEarly(service);
    const old = await runMain(['audit', ledger]);
    expect(old.code).toBe(1);
    expect(old.stdout).toContain('the high-water checkpoint signs 12 entries, but only 7 are there');
    // Without it nothing is wrong with the copy.
    await rename(join(service.dataDir, 'ledger.mark'), `${service.dataDir}.mark`);
    expect(await runMain(['audit', ledger])).toMatchObject({ code: 0 });
    expect((await stat(ledger)).isFile()).toBe(true);
  },
  LONG_MS,
);
