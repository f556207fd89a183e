// What a start is rejected for, each with an exit code, what to do, and nothing left behind. Each test starts the process several times.

import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { generateLedgerKey } from '../../src/ledger/index.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';

/** Starts the service again where that must fail. Answers what it said and its exit code. */
function restartInVain({ dataDir }: ServiceProcess, settings = {}) {
  return runMain(['serve'], { ECT_DATA_DIR: dataDir, ECT_LISTEN: '127.0.0.1:0', ...settings });
}

describe('rejecting to start', () => {
  test('an address that others reach, without client certificates: says what to configure', async () => {
    const { code, stderr } = await runMain(['serve'], { ECT_LISTEN: '0.0.0.0:0' });
    expect(code).toBe(2);
    for (const key of ['ECT_TLS_CERT', 'ECT_TLS_KEY', 'ECT_TLS_CLIENT_CA', 'ECT_ALLOW_ANONYMOUS=yes']) {
      expect(stderr).toContain(key);
    }
  });

  test('a port that is taken: names it and the setting, exit code 1', async () => {
    await using service = await startService();
    const { code, stdout, stderr } = await runMain(['serve'], { ECT_LISTEN: service.address, ECT_STORE: 'memory' });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(`Cannot listen on ${service.address} (EADDRINUSE)`);
    expect(stderr).toContain('ECT_LISTEN');
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test.each(['1', '2'])(
    'a start that is rejected for its port or its files leaves nothing behind, %s worker(s)',
    async (workers) => {
      await using service = await startService();
      const folder = await mkdtemp(join(tmpdir(), 'ect-refused-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const [fresh, used] = [join(folder, 'fresh'), join(folder, 'used')];
      await mkdir(used);
      await writeFile(join(used, 'kept'), '');
      for (const [dataDir, left] of [
        [fresh, ['used']],
        [used, ['kept', 'owner.lock']],
      ] as const) {
        for (const [settings, message] of [
          [{ ECT_LISTEN: service.address }, 'EADDRINUSE'],
          ...(workers === '1' ? ([[{ ECT_TRUST_FILE: '/nowhere/at-all' }, 'ECT_TRUST_FILE']] as const) : []),
        ] as const) {
          const all = { ECT_LISTEN: '127.0.0.1:0', ...settings, ECT_DATA_DIR: dataDir, ECT_WORKERS: workers };
          expect(await runMain(['serve'], all)).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
          expect((await readdir(dataDir === fresh ? folder : used)).toSorted()).toEqual(left);
        }
      }
    },
  );

  test('L14 a ledger whose key is missing, or another, is not continued', async () => {
    await using service = await startService();
    const keyFile = join(service.dataDir, 'ledger.key');
    await service.stop();
    await rename(keyFile, `${keyFile}.kept`);
    const missing = await restartInVain(service);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('restore the key from a backup');
    await expect(stat(keyFile)).rejects.toMatchObject({ code: 'ENOENT' });

    const origin = (await readFile(`${keyFile}.kept`, 'utf8')).split('+')[2] ?? '';
    const others = { 'the same name': generateLedgerKey(origin), 'another name': generateLedgerKey('other.example/l') };
    const mark = join(service.dataDir, 'ledger.mark');
    const rejected = async (other: string, why: string) => {
      await writeFile(keyFile, `${other}\n`, { mode: 0o600 });
      const { code, stdout, stderr } = await restartInVain(service);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(why);
      expect(stderr).not.toContain(other);
    };
    for (const other of Object.values(others)) await rejected(other, 'is not signed by the key in ledger.key');
    await rename(mark, `${mark}.kept`);
    for (const other of Object.values(others)) await rejected(other, 'LEDGER_CORRUPT');
    await rename(`${mark}.kept`, mark);
    await rename(`${keyFile}.kept`, keyFile);
    await service.restart();
  });

  test('S4 a key that others can read, is no key, or is on another curve', async () => {
    await using service = await startService();
    await service.stop();
    const signingKey = join(service.dataDir, 'signing-key.pem');
    const ledgerKey = join(service.dataDir, 'ledger.key');
    for (const file of [signingKey, ledgerKey]) {
      await chmod(file, 0o644);
      const { code, stderr } = await restartInVain(service);
      expect(code).toBe(1);
      expect(stderr).toContain(`${file} can be read by others: run chmod 600`);
      await chmod(file, 0o600);
    }
    for (const file of [signingKey, ledgerKey]) {
      const good = await readFile(file);
      const canary = 'CANARY0CANARY0CANARY0CANARY0';
      await writeFile(file, `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----\n`);
      const { code, stderr } = await restartInVain(service);
      expect(code).toBe(1);
      expect(stderr).toContain(file);
      expect(stderr).not.toContain(canary);
      await writeFile(file, good);
    }
    await service.restart();
  });
});
