// A7: files on a real disk, as writers change them: swapped links, renames, writes in place, halves, directories that come and go.

import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { watchedPlaces } from '../../src/reload/directories.ts';
import { type FileGroup, loadGroup, Reloader } from '../../src/reload/index.ts';
import { DirectoryWatcher } from '../../src/reload/watcher.ts';
import { SOON } from '../support/soon.ts';

let folder: string;
const path = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-reload-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Two files that belong together: the same text in both, and no `bad` in it. */
function pair(first: string, second: string): FileGroup<string> {
  return {
    name: 'pair',
    paths: [first, second],
    parse: (contents) => {
      const [a, b] = contents.map((content) => ('bytes' in content ? content.bytes.toString() : content.code));
      if (a === undefined || a !== b || a.includes('bad') || a.startsWith('E')) throw new Error(`${a} and ${b}`);
      return a;
    },
  };
}

interface Running extends AsyncDisposable {
  readonly reloader: Reloader;
  readonly said: readonly string[];
  readonly inForce: readonly string[];
}

/** Long enough that nothing happens by the poll, or short enough that all happens by it. */
async function run(group: FileGroup<string>, pollMs = 3_600_000, settleMs = 30): Promise<Running> {
  const said: string[] = [];
  const loaded = await loadGroup(group);
  const inForce = [loaded.value];
  const reloader = new Reloader(
    {
      filesReloaded: (files) => said.push(`${files} reloaded`),
      reloadRejected: (_files, why) => said.push(`rejected: ${why}`),
      reloadRestored: (files) => said.push(`${files} restored`),
    },
    { gatherMs: 10, settleMs, pollMs },
  );
  reloader.add(loaded, (value) => void inForce.push(value));
  reloader.start();
  await reloader.look();
  return { reloader, said, inForce, [Symbol.asyncDispose]: () => reloader.stop() };
}

const until = (holds: () => void) => vi.waitFor(holds, SOON);

/** Puts both files there as the kubelet does: a new directory, then one swap of the link to it. */
async function project(version: string, text: string): Promise<void> {
  await mkdir(path(version));
  for (const name of ['one', 'two']) await writeFile(path(`${version}/${name}`), text);
  await symlink(version, path('..data_tmp'));
  await rename(path('..data_tmp'), path('..data'));
}

async function projected(): Promise<FileGroup<string>> {
  await project('..1', 'first');
  for (const name of ['one', 'two']) await symlink(`..data/${name}`, path(name));
  return pair(path('one'), path('two'));
}

describe('a change is noticed without a poll', () => {
  test('A7 the swap of a link by Kubernetes, again and again', async () => {
    await using running = await run(await projected());
    for (let version = 2; version <= 6; version++) {
      await project(`./..${version}`, `text ${version}`);
      await until(() => expect(running.inForce.at(-1)).toBe(`text ${version}`));
      await rm(path(`./..${version - 1}`), { recursive: true });
    }
    expect(running.said).toEqual(Array(5).fill('pair reloaded'));
  });

  test('A7 a link into another directory, as ACME clients keep it', async () => {
    await mkdir(path('archive'));
    await mkdir(path('live'));
    for (const name of ['one', 'two']) {
      for (const version of [1, 2]) await writeFile(path(`archive/${name}${version}`), `text ${version}`);
      await symlink(`../archive/${name}1`, path(`live/${name}`));
    }
    await using running = await run(pair(path('live/one'), path('live/two')));
    for (const name of ['one', 'two']) {
      await symlink(`../archive/${name}2`, path(`live/${name}.new`));
      await rename(path(`live/${name}.new`), path(`live/${name}`));
    }
    await until(() => expect(running.inForce.at(-1)).toBe('text 2'));
    // What the link leads to is watched too, from now on.
    for (const name of ['one', 'two']) await writeFile(path(`archive/${name}2`), 'text 3');
    await until(() => expect(running.inForce.at(-1)).toBe('text 3'));
  });

  test('A7 the swap of a whole directory', async () => {
    for (const version of ['v1', 'v2']) {
      await mkdir(path(version));
      for (const name of ['one', 'two']) await writeFile(path(`${version}/${name}`), version);
    }
    await symlink('v1', path('current'));
    await using running = await run(pair(path('current/one'), path('current/two')));
    await symlink('v2', path('next'));
    await rename(path('next'), path('current'));
    await until(() => expect(running.inForce.at(-1)).toBe('v2'));
  });

  test('A7 files that are renamed over others, and files that are written in place', async () => {
    for (const name of ['one', 'two']) await writeFile(path(name), 'first');
    await using running = await run(pair(path('one'), path('two')));
    for (const name of ['one', 'two']) {
      await writeFile(path(`${name}.new`), 'second');
      await rename(path(`${name}.new`), path(name));
    }
    await until(() => expect(running.inForce.at(-1)).toBe('second'));
    for (const name of ['one', 'two']) await writeFile(path(name), 'third');
    await until(() => expect(running.inForce.at(-1)).toBe('third'));
  });
});

test('A7 what changes beside a file is no hint: a directory may hold a busy database as well', async () => {
  await writeFile(path('one'), 'first');
  const hints: string[] = [];
  let written = 'the neighbour';
  const watcher = new DirectoryWatcher([path('one')], () => hints.push(written));
  await watcher.refresh();
  for (let time = 0; time < 20; time++) await writeFile(path('ledger.db-wal'), `page ${time}`);
  written = 'the file';
  await writeFile(path('one'), 'second');
  // The system reports changes in their order.
  await until(() => expect(hints).toContain('the file'));
  watcher.close();
  expect(hints).not.toContain('the neighbour');
});

describe('what cannot be used', () => {
  test('A7 stays out, is said once, and what was good before stays in force', async () => {
    for (const name of ['one', 'two']) await writeFile(path(name), 'first');
    await using running = await run(pair(path('one'), path('two')));
    await writeFile(path('one'), 'bad');
    await until(() => expect(running.said).toEqual(['rejected: bad and first']));
    for (let look = 0; look < 3; look++) await running.reloader.look();
    expect(running.said).toHaveLength(1);
    // On request it is reported again.
    await running.reloader.look(true);
    expect(running.said).toEqual(['rejected: bad and first', 'rejected: bad and first']);
    await unlink(path('one'));
    await until(() => expect(running.said.at(-1)).toBe('rejected: ENOENT and first'));
    expect(running.inForce).toEqual(['first']);
    await writeFile(path('one'), 'first');
    await until(() => expect(running.said.at(-1)).toBe('pair restored'));
    expect(running.inForce).toEqual(['first']);
  });

  test('A7 for a moment only, because a writer is half way through, is not even said', async () => {
    for (const name of ['one', 'two']) await writeFile(path(name), 'first');
    await using running = await run(pair(path('one'), path('two')), 3_600_000, 1_000);
    await writeFile(path('one'), 'bad half');
    await writeFile(path('one'), 'second');
    await writeFile(path('two'), 'second');
    await until(() => expect(running.inForce).toEqual(['first', 'second']));
    expect(running.said).toEqual(['pair reloaded']);
  });

  test('A7 and cannot be put in force either: it counts as rejected', async () => {
    for (const name of ['one', 'two']) await writeFile(path(name), 'first');
    const loaded = await loadGroup(pair(path('one'), path('two')));
    const said: string[] = [];
    const events = {
      filesReloaded: () => said.push('reloaded'),
      reloadRejected: (_files: string, why: string) => said.push(why),
      reloadRestored: () => said.push('restored'),
    };
    const reloader = new Reloader(events, { settleMs: 1 });
    reloader.add(loaded, () => {
      throw new Error('not taken');
    });
    for (const name of ['one', 'two']) await writeFile(path(name), 'second');
    await reloader.look();
    await reloader.look();
    expect(said).toEqual(['not taken']);
    await reloader.stop();
  });
});

describe('without a hint', () => {
  test('A7 what changed between the first reading and the watch is found when the watch begins', async () => {
    for (const name of ['one', 'two']) await writeFile(path(name), 'first');
    const group = pair(path('one'), path('two'));
    const { parse } = group;
    // The writer comes right after the files have been read.
    let isFirst = true;
    const racing: FileGroup<string> = {
      ...group,
      parse: async (contents) => {
        if (isFirst) for (const name of ['one', 'two']) await writeFile(path(name), 'second');
        isFirst = false;
        return parse(contents);
      },
    };
    await using running = await run(racing);
    expect(running.inForce).toEqual(['first', 'second']);
  });

  test('A7 the poll finds what no watch could see: a directory that went away and came again', async () => {
    await mkdir(path('a/b'), { recursive: true });
    for (const name of ['one', 'two']) await writeFile(path(`a/b/${name}`), 'first');
    await using running = await run(pair(path('a/b/one'), path('a/b/two')), 20);
    await rename(path('a'), path('gone'));
    await until(() => expect(running.said).toEqual(['rejected: ENOENT and ENOENT']));
    await mkdir(path('a/b'), { recursive: true });
    for (const name of ['one', 'two']) await writeFile(path(`a/b/${name}`), 'second');
    await until(() => expect(running.inForce.at(-1)).toBe('second'));
  });

  test('a pipe or a device is read at the start, and never again', async () => {
    await writeFile(path('one'), '');
    const group: FileGroup<string> = { name: 'device', paths: ['/dev/null'], parse: () => 'nothing' };
    const loaded = await loadGroup(group);
    expect(loaded.isReloadable).toBe(false);
  });
});

test('the directories on the way to a file are those in which one swap may change it', async () => {
  await projected();
  await mkdir(path('mount'));
  await symlink(path('mount'), path('alias'));
  await symlink('../one', path('mount/cert'));
  const { directories } = await watchedPlaces(path('alias/cert'));
  expect(directories).toEqual(new Set([path('alias'), folder, path('mount'), path('..data'), path('..1')]));
  await symlink('loop', path('loop'));
  expect((await watchedPlaces(path('loop'))).directories).toContain(folder);
});
