// The chapter on backups in docs/operating.md, word by word: each of its commands is run as it stands there, and what it says a restore
// takes back is so.

import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ect } from '../cli/run.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { issueRecorded, use } from './installation.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const chapter = page.split(/^## /m).find((part) => part.startsWith('Backup and restore\n')) ?? '';
const blocks = [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** The words of a command as a shell finds them; a comment is none. */
function wordsOf(line: string, env: Readonly<Record<string, string>>): readonly string[] {
  const words = line.replace(/ #.*$/, '').match(/"[^"]*"|\S+/g) ?? [];
  return words.map((word) => word.replaceAll('"', '').replaceAll(/\$(\w+)/g, (_, name: string) => env[name] ?? ''));
}

/** The program that the image starts, from its Dockerfile: the sources of this repository, over the volume at `/data`. */
const dockerfile = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
const entry = JSON.parse(/^ENTRYPOINT (.+)$/m.exec(dockerfile)?.[1] ?? '[]') as readonly string[];
test('the image runs the sources of this repository over /data', () => {
  for (const line of ['WORKDIR /app', 'COPY src src', 'VOLUME /data']) expect(dockerfile.split('\n')).toContain(line);
  expect(dockerfile).toMatch(/^ENV .*\n? +ECT_DATA_DIR=\/data /m);
  expect(entry).toEqual(['node', '/app/src/main.ts']);
});

/** The arguments of `ect`, and the volume at `/data`. In the place of a container the same program runs over the directories of its volumes. */
function inContainer(words: readonly string[]): { readonly args: readonly string[]; readonly volume: string } {
  if (words[1] === 'exec') {
    // After the name of the container, or of the pod and `--`.
    const start = words.indexOf('node');
    expect(words.slice(start, start + entry.length)).toEqual(entry);
    return { args: words.slice(start + entry.length), volume: 'ect-data' };
  }
  const image = words.indexOf('ect-authority');
  expect(words[1]).toBe('run');
  const [volume = ''] =
    words
      .slice(0, image)
      .find((word) => word.endsWith(':/data'))
      ?.split(':') ?? [];
  return { args: words.slice(image + 1), volume };
}

test('L19 what docs/operating.md says of backups is so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-documented-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  mkdirSync(join(folder, 'volumes'));
  mkdirSync(join(folder, 'backups'));
  symlinkSync(dataDir, join(folder, 'volumes/ect-data'));
  let next = 0;
  /** Runs one line of the chapter, and answers what it prints. */
  const command = async (line: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const words = wordsOf(line, env).map((word) => word.replace(/^(?:\/srv)?\/backups\//, `${folder}/backups/`));
    const { args, volume } =
      words[0] === 'docker' || words[0] === 'kubectl'
        ? inContainer(words)
        : { args: words.slice(1), volume: undefined };
    const here = args.map((word) => (word.startsWith('./') || word === 'checkpoint.txt' ? join(folder, word) : word));
    const variables = { ...env, ...(volume === undefined ? {} : { ECT_DATA_DIR: join(folder, 'volumes', volume) }) };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const { code, out, err } = await ect(here).finally(() => vi.unstubAllEnvs());
    expect(err, line).not.toMatch(/error:|✗/);
    expect(code, line).toBe(0);
    return out;
  };
  /** Runs the next block of the chapter, or some of its lines; it must begin like that. */
  const block = async (begins: string, lines: readonly [number, number?] = [0], env = {}): Promise<string> => {
    const text = blocks[next] ?? '';
    expect(text.startsWith(begins), `block ${next}`).toBe(true);
    const all = text.trimEnd().split('\n');
    if ((lines[1] ?? all.length) >= all.length) next += 1;
    let printed = '';
    for (const line of all.slice(...lines)) printed += await command(line, env);
    return printed;
  };
  const settings = { ECT_DATA_DIR: dataDir, ECT_ADMINS: 'anonymous' };

  const before = await startService(settings);
  const client = dial(before.address);
  await issueRecorded(client, 'key-1');
  await command('ect backup /srv/backups/2026-02-01 --data-dir ./data');
  const usedAfter = await issueRecorded(client, 'key-2');
  writeFileSync(join(folder, 'checkpoint.txt'), await command('ect checkpoint', { ECT_URL: before.url }));
  await block('ect backup /srv/backups/2026-03-01');
  expect(await use(client, usedAfter.token)).toMatchObject({ valid: true });
  await block('docker exec', [0, 1]);
  const [, inPod = ''] = /`(kubectl exec [^`]+)`/.exec(chapter) ?? [];
  await command(inPod.replace('2026-03-02', '2026-03-02-pod'));
  client[Symbol.dispose]();
  expect(await before.stop()).toBe(0);
  await block('docker exec', [1]);
  expect(readFileSync(join(folder, 'volumes/ect-restored/ledger.db'))).toEqual(
    readFileSync(join(folder, 'backups/2026-03-03/ledger.db')),
  );

  await block('ect restore /srv/backups/2026-03-01 --data-dir ./data --replace');
  const loss = await block('ect restore /srv/backups/2026-02-01 --data-dir ./data --replace --accept-loss');
  expect(loss).toMatch(/entry 3 states it; 4 entries had been shown/);
  // What stayed: the use is known.
  {
    await using stayed = await startService(settings);
    using caller = dial(stayed.address);
    expect(await use(caller, usedAfter.token)).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
    expect((await issueRecorded(caller, 'key-2')).token).toBe(usedAfter.token);
    expect(await stayed.stop()).toBe(0);
  }

  // On another machine nothing is known of it.
  await using after = await startService({ ...settings, ECT_DATA_DIR: join(folder, 'restored') });
  using caller = dial(after.address);
  expect(await use(caller, usedAfter.token)).toMatchObject({ valid: true });
  expect(await use(caller, usedAfter.token)).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
  const { keys } = await caller.call<{ keys: readonly { key: { kid: string } }[] }>('ect.v1.AdminService/ListKeys', {});
  const kid = keys[0]?.key.kid ?? '';
  const listed = await block('ect keys list', [0], { ECT_URL: after.url, KID: kid });
  expect(listed).toContain(kid);
  expect(await use(caller, usedAfter.token)).toMatchObject({
    valid: false,
    finding: { reason: 'ERROR_REASON_KEY_REVOKED' },
  });

  await block('ect audit ./restored/ledger.db --earlier checkpoint.txt');
  expect(next).toBe(blocks.length);

  // `once.db` alone, over a ledger that is newer.
  rmSync(join(dataDir, 'once.db'));
  copyFileSync(join(folder, 'backups/2026-02-01/once.db'), join(dataDir, 'once.db'));
  await using repaired = await startService(settings);
  expect(await (await fetch(`${repaired.url}/readyz`)).json()).toMatchObject({ ready: true });
});
