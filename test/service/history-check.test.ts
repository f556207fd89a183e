// One name, one history: the real process over a directory whose ledger was deleted, taken back or damaged.

import { cp, mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import {
  AUTHORITY,
  checkpointOf,
  contentsOf,
  cut,
  type Damaged,
  flipIn,
  GONE,
  KEY_ENTRIES,
  killedService,
  LONG_MS,
  recordMany,
  removeLedger,
  restoreEarly,
  SHORTER,
  startAgain,
} from './damaged-history.ts';
import { Witness } from './witness.ts';

describe('L8 L25 a ledger that is not what was shown of it is rejected at the start, with what to do, and nothing is changed', () => {
  test.each<[string, (service: Damaged) => Promise<unknown>, RegExp]>([
    ['deleted, with its companions', ({ dataDir }) => removeLedger(dataDir), GONE],
    ['emptied', ({ dataDir }) => removeLedger(dataDir).then(() => writeFile(join(dataDir, 'ledger.db'), '')), GONE],
    ['an old copy, restored', restoreEarly, SHORTER],
    ['without its write-ahead file', ({ dataDir }) => rm(join(dataDir, 'ledger.db-wal')), GONE],
    ['with a write-ahead file cut at half', ({ dataDir }) => cut(join(dataDir, 'ledger.db-wal'), 0.5), SHORTER],
    ['with the end of it cut off', ({ dataDir }) => cut(join(dataDir, 'ledger.db-wal'), 0.999), SHORTER],
    ['with a flipped bit in it', ({ dataDir }) => flipIn(join(dataDir, 'ledger.db-wal'), 0.6), SHORTER],
  ])(
    '%s',
    async (_, damage, message) => {
      await using service = await killedService();
      await damage(service);
      const before = await contentsOf(service.dataDir);
      const { code, stdout, stderr } = await startAgain(service);
      expect(stderr).toMatch(message);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      for (const way of [
        'put the newest copy',
        'ect ledger new-origin --data-dir',
        'ect ledger accept-loss --data-dir',
      ]) {
        expect(stderr).toContain(`\n  - ${way}`);
      }
      expect(await contentsOf(service.dataDir)).toEqual(before);
      const check = await runMain(['config', 'check'], { ECT_DATA_DIR: service.dataDir });
      expect(check).toMatchObject({ code: 2, stderr: expect.stringContaining('this ledger has shown 12 entries') });
    },
    LONG_MS,
  );

  test(
    'L6 wherever the write-ahead file is flipped or cut, 40 times',
    async () => {
      await using service = await killedService();
      const wal = join(service.dataDir, 'ledger.db-wal');
      const [whole, database] = [await readFile(wal), await readFile(join(service.dataDir, 'ledger.db'))];
      for (let n = 0; n < 40; n++) {
        await writeFile(join(service.dataDir, 'ledger.db'), database);
        await writeFile(wal, whole);
        await rm(`${wal.slice(0, -4)}-shm`, { force: true });
        // The first 32 bytes are the header; each frame is a page with 24 bytes before it.
        const share = (32 + Math.floor((n + 1) * ((whole.length - 64) / 41))) / whole.length;
        await (n % 2 === 0 ? flipIn(wal, share) : cut(wal, share));
        // What a start does first, without the start: 40 of these would take minutes.
        const check = await runMain(['config', 'check'], { ECT_DATA_DIR: service.dataDir });
        expect(check.stderr, `the ${n % 2 === 0 ? 'flip' : 'cut'} at ${share}`).toContain(
          'this ledger has shown 12 entries',
        );
        expect(check.code).toBe(2);
      }
    },
    LONG_MS,
  );

  test(
    'the newest copy, put back, serves again, and one history has been kept',
    async () => {
      await using service = await startService();
      const witness = await (async () => {
        using client = dial(service.address);
        const keys = await client.call<{ ledger_verifier_key: string }>('ect.v1.KeyService/GetKeySet', {});
        await recordMany(client, 5);
        const kept = new Witness(keys.ledger_verifier_key);
        kept.checkpoints.add(await checkpointOf(client));
        return kept;
      })();
      expect(await service.stop()).toBe(0);
      const copy = `${service.dataDir}.copy`;
      await cp(join(service.dataDir, 'ledger.db'), copy);
      await removeLedger(service.dataDir);
      expect((await startAgain(service)).code).toBe(1);
      await cp(copy, join(service.dataDir, 'ledger.db'));
      await service.restart();
      using client = dial(service.address);
      await recordMany(client, 1);
      expect(await witness.faults(client)).toEqual([]);
    },
    LONG_MS,
  );
});

test(
  'L8 the history of another directory under the same key is rejected, longer or not',
  async () => {
    await using service = await startService();
    await service.kill();
    const fork = `${service.dataDir}.fork`;
    await cp(service.dataDir, fork, { recursive: true });
    await service.restart();
    {
      using client = dial(service.address);
      await recordMany(client, 1);
    }
    expect(await service.stop()).toBe(0);
    await using other = await startService({ ECT_DATA_DIR: fork });
    {
      using client = dial(other.address);
      await recordMany(client, 3);
    }
    expect(await other.stop()).toBe(0);
    await cp(join(fork, 'ledger.db'), join(service.dataDir, 'ledger.db'));
    const { code, stderr } = await startAgain(service);
    expect(code).toBe(1);
    expect(stderr).toContain('holds another history than was shown');
    const audit = await runMain(['audit', join(service.dataDir, 'ledger.db')]);
    expect(audit.code).toBe(1);
    expect(audit.stdout).toContain('do not lead to the root that the high-water checkpoint signs');
  },
  LONG_MS,
);

describe('ways out', () => {
  const recover = (service: ServiceProcess, ...args: readonly string[]) =>
    runMain(['ledger', ...args, '--data-dir', service.dataDir, '--yes']);

  test(
    'L8 L25 `ect ledger accept-loss` records the loss; the service goes on, and every auditor sees it',
    async () => {
      await using service = await killedService();
      expect((await recover(service, 'accept-loss')).stderr).toContain('Nothing of the ledger in');
      // Of an unreadable file not even the number of entries is known.
      await removeLedger(service.dataDir);
      await cp(join(service.early, 'once.db'), join(service.dataDir, 'ledger.db'));
      const unreadable = await recover(service, 'accept-loss');
      expect(unreadable).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/ledger\.db is damaged.*ect restore --replace/),
      });
      await restoreEarly(service);
      const asked = await runMain(['ledger', 'accept-loss', '--data-dir', service.dataDir]);
      expect(asked).toMatchObject({ code: 2, stdout: '' });
      expect((await startAgain(service)).code).toBe(1);
      const mark = await readFile(join(service.dataDir, 'ledger.mark'));
      const accepted = await recover(service, 'accept-loss', '--note', 'the disk failed');
      expect(accepted).toMatchObject({ code: 0, stdout: expect.stringContaining('✓ entry 7 states the loss') });
      // The process ended before it had replaced the mark: the same again finds the entry.
      await writeFile(join(service.dataDir, 'ledger.mark'), mark);
      expect((await startAgain(service)).stderr).toMatch(SHORTER);
      expect((await recover(service, 'accept-loss', '--note', 'the disk failed')).stdout).toBe(accepted.stdout);

      await service.restart();
      using client = dial(service.address);
      await recordMany(client, 1);
      const { entry } = await client.call<{ entry: { loss: { shown_size: string; statement: string } } }>(
        'ect.v1.LedgerService/GetEntry',
        { index: '7' },
      );
      expect(entry.loss.shown_size).toBe('12');
      expect(JSON.parse(entry.loss.statement)).toEqual({
        by: 'operator',
        checkpoint: service.checkpoint,
        note: 'the disk failed',
      });
      const ledger = join(service.dataDir, 'ledger.db');
      for (const source of [[ledger], ['--url', service.url]]) {
        const audit = await runMain(['audit', ...source]);
        expect(audit.stderr).not.toContain('error');
        expect(audit.code).toBe(0);
        expect(audit.stdout).toContain(
          '! index 7: an accepted loss: 12 entries had been shown, 7 of that history were left',
        );
      }
      const kept = `${service.dataDir}.checkpoint`;
      await writeFile(kept, service.checkpoint);
      const contradicted = await runMain(['audit', ledger, '--earlier', kept, '--json']);
      expect(contradicted.code).toBe(1);
      expect(JSON.parse(contradicted.stdout)).toMatchObject({ acceptedLosses: [{ index: 7, shownSize: '12' }] });
      const list = await runMain(['list', 'entries', '--url', service.url]);
      expect(list.stdout).toMatch(/ {2}loss {2}/);
      expect((await recover(service, 'accept-loss')).stderr).toContain('is in use by process');
    },
    LONG_MS,
  );

  test(
    'L8 L25 `ect ledger new-origin` begins a ledger under another key and name, and keeps what was left',
    async () => {
      await using service = await killedService();
      const vkey = async () => (await runMain(['checkpoint', '--key', '--data-dir', service.dataDir])).stdout;
      const before = await vkey();
      const intact = await recover(service, 'new-origin');
      expect(intact.code).toBe(1);
      expect(intact.stderr).toMatch(/Nothing is missing from the ledger in .* \(12 entries\).*--end-intact-ledger/s);
      expect(await vkey()).toBe(before);
      await restoreEarly(service);
      expect((await recover(service, 'new-origin', '--origin', 'no name')).stderr).toContain('the origin has a space');
      // A directory has no second name: nothing is begun.
      const odd = join(service.dataDir, 'signing-key-7.pem');
      await mkdir(odd);
      expect((await recover(service, 'new-origin')).stderr).toContain(`${odd} is a directory, not a file`);
      expect((await readdir(service.dataDir)).filter((name) => name.startsWith('old-'))).toEqual([]);
      await rmdir(odd);
      const { code, stdout } = await recover(service, 'new-origin', '--origin', 'ledger.example/second', '--json');
      expect(code).toBe(0);
      const { verifierKey, keptIn } = JSON.parse(stdout) as { readonly verifierKey: string; readonly keptIn: string };
      await service.restart();
      expect((await vkey()).trim()).toBe(verifierKey);
      using client = dial(service.address);
      const checkpoint = await checkpointOf(client);
      expect(checkpoint.split('\n').slice(0, 2)).toEqual(['ledger.example/second', String(KEY_ENTRIES)]);
      await recordMany(client, 1);
      // What was left is a ledger of its own, under the old key, that shows that it is not whole.
      const audit = await runMain(['audit', join(keptIn, 'ledger.db'), '--ledger-key', before.trim()]);
      expect(audit.stdout).toContain('the high-water checkpoint signs 12 entries, but only 7 are there');
      expect((await recover(service, 'new-origin')).stderr).toContain('is in use by process');
      await service.stop();
      expect((await recover(service, 'new-origin')).stderr).toContain('--end-intact-ledger');
      expect((await recover(service, 'new-origin', '--end-intact-ledger')).code).toBe(0);
    },
    LONG_MS,
  );

  test(
    'L25 K9 `ect ledger new-origin` does not bring a key back that was revoked: the new ledger begins with a new one',
    async () => {
      await using service = await startService({ ECT_ADMINS: 'anonymous' });
      const order = { exec_act: 'a', aud: ['urn:example:b'] };
      const issue = (client: GrpcClient) => client.call<{ token: string; kid: string }>(`${AUTHORITY}/Issue`, order);
      const revoked = await (async () => {
        using client = dial(service.address);
        const token = await issue(client);
        await client.call('ect.v1.AdminService/RevokeKey', { kid: token.kid });
        await client.call('ect.v1.AdminService/RotateKey', { urgent: true });
        return token;
      })();
      await service.kill();
      await removeLedger(service.dataDir);
      const { code, stderr } = await recover(service, 'new-origin');
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('name none that was revoked') });
      await service.restart();
      using client = dial(service.address);
      expect((await issue(client)).kid).not.toBe(revoked.kid);
      const verdict = client.call(`${AUTHORITY}/Verify`, { token: revoked.token, audience: 'urn:example:b' });
      expect(await verdict).toMatchObject({ valid: false, finding: { reason: 'ERROR_REASON_KEY_UNKNOWN' } });
    },
    LONG_MS,
  );

  test(
    'L3 `ect ledger new-origin` that ended half way lets nothing start, and goes on when it is called again',
    async () => {
      await using service = await killedService();
      // In the order in which it takes the files away.
      for (const name of ['ledger.db-shm', 'ledger.db-wal', 'ledger.db', 'ledger.mark', 'ledger.key']) {
        await rm(join(service.dataDir, name), { force: true });
        if (name !== 'ledger.db-shm') expect((await startAgain(service)).code, `without ${name}`).toBe(1);
      }
      expect((await recover(service, 'new-origin')).code).toBe(0);
      await service.restart();
    },
    LONG_MS,
  );

  test(
    'a directory without a ledger is rejected, and none is made',
    async () => {
      await using service = await startService();
      const nowhere = `${service.dataDir}.nowhere`;
      for (const command of ['new-origin', 'accept-loss']) {
        const { code, stderr } = await runMain(['ledger', command, '--data-dir', nowhere, '--yes']);
        expect([code, stderr]).toEqual([2, expect.stringContaining(`there is no directory ${nowhere}`)]);
        const other = await runMain(['ledger', command, '--data-dir', import.meta.dirname, '--yes']);
        expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('holds no ledger')]);
      }
      await expect(stat(nowhere)).rejects.toThrow('ENOENT');
    },
    LONG_MS,
  );
});
