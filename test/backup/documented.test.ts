// The chapter on backups in docs/operating.md, word by word: each of its commands is run as it stands there, and what it says a restore
// takes back is so.

import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { dial } from '../interop/grpc-js-client.ts';
import { MAIN, startService } from '../support/service-process.ts';
import { checkpointOf, issueRecorded, use } from './installation.ts';

const run = promisify(execFile);
const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const chapter = page.split(/^## /m).find((part) => part.startsWith('Backup and restore\n')) ?? '';
const blocks = [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** The command line, and containers in the place of which the same program runs over the directories of their volumes. */
const PRELUDE = `set -eu
ect() { "$NODE" "$MAIN" "$@"; }
docker() {
  local verb=$1 data=$PWD/volumes/ect-data
  shift
  if [ "$verb" = exec ]; then
    [ "$1 $2 $3" = 'ect node /app/src/main.ts' ]
    shift 3
  else
    while [ "$1" != ect-authority ]; do
      case "$1" in *:/data) data=$PWD/volumes/\${1%%:*} ;; esac
      shift
    done
    shift
  fi
  ECT_DATA_DIR=$data ect "$@"
}
`;

test('L19 what docs/operating.md says of backups is so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-documented-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  mkdirSync(join(folder, 'volumes'));
  mkdirSync(join(folder, 'backups'));
  symlinkSync(dataDir, join(folder, 'volumes/ect-data'));
  let next = 0;
  const shell = (script: string, env: Readonly<Record<string, string>> = {}) => {
    const here = script.replaceAll(/(?:\/srv)?\/backups/g, `${folder}/backups`);
    const { PATH = '' } = process.env;
    return run('bash', ['-c', PRELUDE + here], {
      cwd: folder,
      env: { PATH, NODE: process.execPath, MAIN, ...env },
    }).catch((error: { stderr: string }) => {
      throw new Error(`${here}\n${error.stderr}`);
    });
  };
  /** Runs the next block of the chapter, or a part of it, which must begin like that. */
  const block = async (begins: string, part: readonly [number, number?] = [0], env = {}) => {
    const text = blocks[next] ?? '';
    expect(text.startsWith(begins), `block ${next}`).toBe(true);
    const lines = text.trimEnd().split('\n');
    if ((part[1] ?? lines.length) >= lines.length) next += 1;
    return shell(lines.slice(...part).join('\n'), env);
  };
  const settings = { ECT_DATA_DIR: dataDir, ECT_ADMINS: 'anonymous' };

  const before = await startService(settings);
  const client = dial(before.address);
  await issueRecorded(client, 'key-1');
  await shell('ect backup /srv/backups/2026-02-01 --data-dir ./data');
  const usedAfter = await issueRecorded(client, 'key-2');
  await shell('ect checkpoint > checkpoint.txt', { ECT_URL: before.url });
  await block('ect backup /srv/backups/2026-03-01');
  expect(await use(client, usedAfter.token)).toMatchObject({ valid: true });
  const newer = await checkpointOf(client);
  await block('docker exec', [0, 1]);
  client[Symbol.dispose]();
  expect(await before.stop()).toBe(0);
  await block('docker exec', [1]);
  expect(readFileSync(join(folder, 'volumes/ect-restored/ledger.db'))).toEqual(
    readFileSync(join(folder, 'backups/2026-03-03/ledger.db')),
  );
  await shell('cd /srv/backups/2026-03-01 && sha256sum --check --quiet --strict SHA256SUMS');

  await block('ect restore /srv/backups/2026-03-01 --data-dir ./data --replace');
  const loss = await block('ect restore /srv/backups/2026-02-01 --data-dir ./data --replace --accept-loss');
  expect(loss.stdout).toMatch(/entry 3 states it; 4 entries had been shown/);
  // What stayed: the use is known.
  {
    await using stayed = await startService(settings);
    using caller = dial(stayed.address);
    expect(await use(caller, usedAfter.token)).toMatchObject({ reason: 'TOKEN_REPLAYED' });
    expect((await issueRecorded(caller, 'key-2')).token).toBe(usedAfter.token);
    expect(await stayed.stop()).toBe(0);
  }

  // On another machine nothing is known of it.
  await using after = await startService({ ...settings, ECT_DATA_DIR: join(folder, 'restored') });
  using caller = dial(after.address);
  expect(await use(caller, usedAfter.token)).toMatchObject({ valid: true });
  expect(await use(caller, usedAfter.token)).toMatchObject({ reason: 'TOKEN_REPLAYED' });
  const { keys } = await caller.call<{ keys: readonly { key: { kid: string } }[] }>('ect.v1.KeyService/ListKeys', {});
  const kid = keys[0]?.key.kid ?? '';
  const listed = await block('ect keys list', [0], { ECT_URL: after.url, KID: kid });
  expect(listed.stdout).toContain(kid);
  expect(await use(caller, usedAfter.token)).toMatchObject({ valid: false, reason: 'KEY_REVOKED' });

  await block('ect audit ./restored/ledger.db --earlier checkpoint.txt');
  expect(next).toBe(blocks.length);
  expect(await checkpointOf(caller)).not.toBe(newer);

  // `once.db` alone, over a ledger that is newer.
  rmSync(join(dataDir, 'once.db'));
  copyFileSync(join(folder, 'backups/2026-02-01/once.db'), join(dataDir, 'once.db'));
  await using repaired = await startService(settings);
  expect(await (await fetch(`${repaired.url}/readyz`)).json()).toMatchObject({ ready: true });
});
