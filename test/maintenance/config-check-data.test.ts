import { chmod, cp, mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, test } from 'vitest';
import { flipInIndex } from '../backup/flip-in-index.ts';
import { ect } from '../cli/run.ts';
import { FULL } from '../support/full.ts';
import { runMain, startService } from '../support/service-process.ts';
import { changedCopy, checkFolder, problemsOf } from './checked-data.ts';

let folder = '';
let stopped = '';

beforeAll(async () => {
  folder = await checkFolder();
  await using service = await startService();
  await service.stop();
  stopped = await changedCopy(service.dataDir, join(folder, 'stopped'), async () => undefined);
});

/** The data of a service that has stopped, with something done to it. */
const dataWith = (name: string, change: (path: string) => Promise<unknown>) =>
  changedCopy(stopped, join(folder, name), change);

const LAST_BYTE = /\((?:ledger|once)\.db\) is damaged: its last byte is missing\. Restore it from a backup\./;

async function cutOne(path: string): Promise<void> {
  await truncate(path, (await stat(path)).size - 1);
}

describe('every mistake is found at once', () => {
  test('of all the files of a data directory, and of a key file beside that of its passphrase', async () => {
    const path = await dataWith('all-wrong', async (copy) => {
      for (const name of ['ledger.db', 'ledger.key', 'once.db', 'signing-key.pem']) {
        await writeFile(join(copy, name), 'a text, and nothing else');
      }
      for (const name of ['ledger.db-wal', 'once.db-wal']) await rm(join(copy, name), { force: true });
    });
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([
      expect.stringContaining('ledger.key does not hold a ledger key'),
      expect.stringContaining('ledger.db is not an SQLite file'),
      expect.stringContaining('once.db is not an SQLite file'),
      expect.stringContaining('signing-key.pem holds no private key'),
    ]);
    const [noKey, noPhrase] = [join(folder, 'no-such.pem'), join(folder, 'no-such-phrase')];
    const files = { ECT_LOCAL_KEY_FILE: noKey, ECT_LOCAL_KEY_PASSPHRASE_FILE: noPhrase };
    expect(await problemsOf({ ECT_STORE: 'memory', ...files })).toEqual([
      expect.stringContaining(noKey),
      expect.stringContaining(noPhrase),
    ]);
    await rm(join(path, 'ledger.key'));
    await rm(join(path, 'once.db'));
    await mkdir(join(path, 'once.db'));
    expect((await problemsOf({ ECT_DATA_DIR: path })).join('\n')).toMatch(
      /once\.db is a directory.*\n.*ledger\.db is there but its key.*\n.*ledger\.db is not an SQLite file/,
    );
  });

  test.each<[what: string, change: (path: string) => Promise<unknown>, rule: RegExp]>([
    ['a ledger without its key', (path) => rm(join(path, 'ledger.key')), /is there but its key .* is not/],
    [
      'a key that others can read',
      (path) => chmod(join(path, 'ledger.key'), 0o644),
      /ledger\.key can be read by others/,
    ],
    [
      'a key of another ledger',
      async (path) => {
        await rm(join(path, 'ledger.key'));
        await ect(['keygen', '--ledger', 'ledger.example/other', '--out', join(path, 'ledger.key')]);
      },
      /ledger\.db belongs to another key than .*ledger\.key/,
    ],
    ['a file that is no ledger', (path) => writeFile(join(path, 'ledger.db'), 'x'.repeat(4096)), /not an SQLite file/],
    [
      'another database in its place',
      (path) => cp(join(path, 'once.db'), join(path, 'ledger.db')),
      /is once\.db of a service/,
    ],
    [
      'a ledger in the place of once.db',
      (path) => cp(join(path, 'ledger.db'), join(path, 'once.db')),
      /is a ledger, not a store of used tokens/,
    ],
    ['a damaged signing key', (path) => writeFile(join(path, 'signing-key.pem'), 'x'), /holds no private key/],
    ['a ledger without its last byte', (path) => cutOne(join(path, 'ledger.db')), LAST_BYTE],
    ['a memory of uses without its last byte', (path) => cutOne(join(path, 'once.db')), LAST_BYTE],
    [
      'half a memory of uses',
      (path) => truncate(join(path, 'once.db'), 20_000),
      /once\.db\) is damaged: its last \d+ bytes/,
    ],
    ['a lock with a content', (path) => writeFile(join(path, 'owner.lock'), 'x'), /owner\.lock has a content/],
    [
      'a ledger key of gigabytes',
      (path) => truncate(join(path, 'ledger.key'), 3 * 1024 ** 3),
      /ledger\.key is larger than 1 MiB/,
    ],
  ])('in the data directory: %s', async (what, change, rule) => {
    const path = await dataWith(what.replaceAll(' ', '-'), change);
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([expect.stringMatching(rule)]);
    // What the check finds would stop a start. `npm test` starts the program for the first of them only.
    if (!FULL && what !== 'a ledger without its key') return;
    const started = await runMain(['serve'], { ECT_DATA_DIR: path, ECT_LISTEN: '127.0.0.1:0' });
    expect(started.code).not.toBe(0);
    // There is no call that could be repeated.
    expect(started.stderr).not.toContain('Retry');
    expect(started.stderr).not.toMatch(/^ +at /m);
  });
});

describe('damage with which a start would only read is reported before the start', () => {
  test.each<[what: string, damage: (path: string) => unknown, rule: RegExp]>([
    [
      'of the ledger',
      (path) => flipInIndex(join(path, 'ledger.db'), 1),
      /ledger\.db is damaged: entry 1: it is not found by its name, and \d+ more\. .*nothing recorded\. Restore a backup with `ect restore --replace`\.$/,
    ],
    [
      'of the expiring keys',
      (path) => {
        using database = new DatabaseSync(join(path, 'once.db'));
        const row = database.prepare("INSERT INTO uses VALUES (?, ?, '', 'a token', 9e9)");
        row.run(new Uint8Array(32), new Uint8Array(32));
      },
      /once\.db is damaged: a digest in uses is not that of what was used\. No use of a token would be accepted/,
    ],
  ])('%s', async (what, damage, rule) => {
    const path = await dataWith(what.replaceAll(' ', '-'), async (copy) => damage(copy));
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([expect.stringMatching(rule)]);
  });

  test('and so is what was found before, until all of the file was examined', async () => {
    const path = await dataWith('found-before', (copy) => writeFile(join(copy, 'ledger.damaged'), '{}\n'));
    expect(await problemsOf({ ECT_DATA_DIR: path })).toEqual([
      expect.stringMatching(/ledger\.db was found damaged \(.*ledger\.damaged\): nothing is written to it until/),
    ]);
  });
});
