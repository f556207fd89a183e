// A restore that is killed half way: at each of its changes of the directory, what is there is what was there before, or the backup, or
// something that no start takes.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { filesIn, readLedgerKey } from '../../src/data-directory/data-dir.ts';
import { ect } from '../cli/run.ts';
import { FULL } from '../support/full.ts';
import { describeWith } from '../support/need.ts';
import { MAIN } from '../support/service-process.ts';
import { makeInstallation } from './installation.ts';

const CALLS = 'rename,unlink,unlinkat,link';
const IS_CALL = /^\d+ +(?:rename|unlink|unlinkat|link)\(/;
/** Without the full run. */
const SAMPLED = 4;

/** What a start would read. */
function filesOf(directory: string): Readonly<Record<string, string>> {
  const names = readdirSync(directory).filter((name) => /^(?:ledger|once|signing-key).*(?<!-shm)$/.test(name));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(directory, name), 'base64')]));
}

/** The memory of uses is given what it lacks before anything else is changed: it then knows more, which does no harm. */
function withoutUses(files: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(files).filter(([name]) => !name.startsWith('once.')));
}

describeWith('strace', 'L3 L19 a restore over a directory that was used', () => {
  test('killed at any of its changes: a start finds the one or the other, or rejects', async () => {
    const made = await makeInstallation();
    onTestFinished(() => made[Symbol.asyncDispose]());
    const backup = made.path('backup');
    expect(await ect(['backup', backup, '--data-dir', made.dataDir])).toMatchObject({ code: 0 });
    // Its write-ahead file would spoil the ledger of the backup.
    const before = filesOf(made.early);
    expect(Object.keys(before)).toContain('ledger.db-wal');

    const restore = async (extra: readonly string[]) => {
      const dataDir = made.path('data');
      await cp(made.early, dataDir, { recursive: true });
      const log = made.path('trace');
      const command = [process.execPath, MAIN, 'restore', backup, '--data-dir', dataDir, '--replace', '--yes'];
      const strace = ['-f', '-o', log, '-e', `trace=${CALLS}`, ...extra, ...command];
      spawnSync('strace', strace, { env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1' }, stdio: 'ignore' });
      return {
        dataDir,
        calls: readFileSync(log, 'utf8')
          .split('\n')
          .filter((line) => IS_CALL.test(line)),
      };
    };
    const whole = await restore([]);
    const after = filesOf(whole.dataDir);
    for (const name of ['ledger.db', 'ledger.key', 'ledger.mark', 'signing-key.pem']) {
      expect(after[name], name).toBe(readFileSync(join(backup, name), 'base64'));
    }
    // strace counts the calls of each thread and name by itself: these are of the one thread that works on files.
    const thread = whole.calls.find((line) => line.includes('old-data-'))?.split(' ')[0];
    const calls = whole.calls.filter((line) => line.split(' ')[0] === thread);
    const names = calls.map((line) => /([a-z]+)\(/.exec(line)?.[1] ?? '');
    const first = calls.findIndex((line) => line.includes('old-data-'));
    const places = names
      .map((name, at) => ({ name, nth: names.slice(0, at + 1).filter((other) => other === name).length }))
      .slice(first);
    expect(places.length).toBeGreaterThan(SAMPLED);
    const tried = FULL ? places : places.filter((_, at) => at % Math.floor(places.length / SAMPLED) === 1);
    const found: Record<string, number> = { before: 0, after: 0, rejected: 0 };
    for (const { name, nth } of tried) {
      const when = `${name} ${nth}`;
      const { dataDir } = await restore(['-e', `inject=${name}:signal=KILL:when=${nth}`]);
      const files = filesOf(dataDir);
      if (!('ledger.key' in files)) {
        found['rejected']! += 1;
        expect(existsSync(join(dataDir, 'ledger.db')), when).toBe(true);
        await expect(readLedgerKey(filesIn(dataDir)), when).rejects.toThrow('restore the key from a backup');
      } else {
        const state = withoutUses(files) === withoutUses(before) ? 'before' : 'after';
        found[state]! += 1;
        if (state === 'after') expect(files, when).toEqual(after);
      }
      const again = await ect(['restore', backup, '--data-dir', dataDir, '--replace', '--yes']);
      expect(again, when).toMatchObject({ code: 0 });
      expect(filesOf(dataDir), when).toEqual(after);
      await rm(dataDir, { recursive: true });
    }
    console.info(`restores killed: ${tried.length} of ${places.length} places`, found);
    expect(found['rejected']).toBeGreaterThan(0);
  });
});
