// A service that dies of a mistake or of too little memory, while it holds keys that were encrypted: what it leaves behind.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const PASSPHRASE = 'canary-passphrase-51be';
const UNCAUGHT = 1;

/** Code that runs in the service before its own, as an operator's agent would: it is ill when SIGUSR2 comes. */
const preload = (illness: string) =>
  `--import=data:text/javascript,${encodeURIComponent(`process.on('SIGUSR2', () => { ${illness} });`)}`;

interface KeyFiles {
  readonly passphraseFile: string;
  /** Two keys under one passphrase, the second for the place of the first. */
  readonly keys: readonly { readonly file: string; readonly pem: string }[];
}

async function writeKeys(): Promise<KeyFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'ect-keys-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const keys = ['old.pem', 'new.pem'].map((name) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = { cipher: 'aes-256-cbc', passphrase: PASSPHRASE };
    return { file: join(folder, name), pem: String(privateKey.export({ type: 'pkcs8', format: 'pem', ...secret })) };
  });
  const passphraseFile = join(folder, 'passphrase');
  await writeFile(passphraseFile, PASSPHRASE, { mode: 0o600 });
  for (const { file, pem } of keys) await writeFile(file, pem, { mode: 0o600 });
  return { passphraseFile, keys };
}

/** The passphrase and the private scalar in every spelling in which they could stand somewhere. */
function secretsOf(pem: string): readonly Buffer[] {
  const key = createPrivateKey({ key: pem, passphrase: PASSPHRASE });
  const scalar = Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url');
  const hex = scalar.toString('hex');
  const der = key.export({ type: 'pkcs8', format: 'der' }).toString('base64');
  const texts = [hex, hex.toUpperCase(), hex.match(/../g)!.join(' '), hex.match(/../g)!.join(':'), der];
  const encoded = [scalar.toString('base64'), scalar.toString('base64url'), Buffer.from(PASSPHRASE).toString('base64')];
  return [scalar, ...[...texts, ...encoded, PASSPHRASE, 'PRIVATE KEY'].map((text) => Buffer.from(text))];
}

/** Every file below a directory. */
async function filesBelow(cwd: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const name of globSync('**/*', { cwd })) {
    if ((await stat(join(cwd, name))).isFile()) files.set(name, await readFile(join(cwd, name)));
  }
  return files;
}

const issue = (client: GrpcClient, exec_act: string) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act, aud: ['urn:example:reader'], level: 'LEVEL_L3' });

/** Signs with one key file, starts again with the next, signs until that is in force, falls ill and dies. */
async function rotateAndDie({ keys: [old, next] }: KeyFiles, settings: Settings, options: string) {
  const all = {
    ECT_LOG_LEVEL: 'debug',
    ECT_SIGNING: 'two-tier',
    ECT_DIRECT_ACTS: 'direct',
    ECT_JWKS_MAX_AGE_SEC: '1',
    ECT_KEYS_REFRESH_SEC: '0.1',
    ...settings,
  };
  await using first = await startService({ ...all, ECT_LOCAL_KEY_FILE: old!.file });
  using client = dial(first.address);
  const { kid } = await issue(client, 'direct');
  expect(await first.stop()).toBe(0);

  const { dataDir } = first;
  const more = { ECT_LOCAL_KEY_FILE: next!.file, ECT_DATA_DIR: dataDir, NODE_OPTIONS: options };
  await using second = await startService({ ...all, ...more });
  using again = dial(second.address);
  await expect.poll(async () => (await issue(again, 'direct')).kid, SOON).not.toBe(kid);
  await issue(again, 'delegated');
  const pages = await Promise.all(
    ['metrics', '.well-known/jwks.json', '.well-known/ect-authority'].map(async (page) =>
      (await fetch(`${second.url}/${page}`)).text(),
    ),
  );
  process.kill(second.pid, 'SIGUSR2');
  // It dies in the handler, before it comes to the signal that would end it in peace.
  const code = await second.stop();
  return {
    code,
    said: [first.stderr(), second.stdout(), second.stderr(), ...pages].join('\n'),
    data: await filesBelow(dataDir),
    beside: await filesBelow(dirname(second.dataDir)),
  };
}

describe('S5 what is left of a process that crashed shows neither the key nor its passphrase', () => {
  const deaths: [title: string, place: string, options: string, said: string][] = [
    ['an error that nobody catches', 'file', preload("throw new Error('ill')"), 'Error: ill'],
    [
      'a promise that nobody catches',
      'environment',
      preload("void Promise.reject(new TypeError('ill', { cause: process.versions }))"),
      'TypeError: ill',
    ],
    [
      'a heap that is full',
      'environment',
      `--max-old-space-size=64 ${preload('const all = []; for (;;) all.push(Array(1e4).fill(all.length))')}`,
      'JavaScript heap out of memory',
    ],
  ];
  // Each starts the service twice: `npm test` takes the first.
  test.each(FULL ? deaths : deaths.slice(0, 1))(
    'S5 %s, its passphrase from the %s',
    async (_, place, options, expected) => {
      const files = await writeKeys();
      const settings =
        place === 'file'
          ? { ECT_LOCAL_KEY_PASSPHRASE_FILE: files.passphraseFile }
          : { ECT_LOCAL_KEY_PASSPHRASE: PASSPHRASE };
      const { code, said, data, beside } = await rotateAndDie(files, settings, options);
      expect([UNCAUGHT, 'SIGABRT', 'SIGTRAP']).toContain(code);
      // It said why it died, and it had been talkative, or the search would prove nothing.
      expect(said).toContain(expected);
      expect(said).toContain('"event":"key-changed"');
      expect(data.get('ledger.db')?.length).toBeGreaterThan(0);
      // No report, no snapshot of the heap, no core.
      expect([...beside.keys()]).toEqual([]);
      for (const secret of files.keys.flatMap(({ pem }) => secretsOf(pem))) {
        for (const [name, bytes] of [...data, ['what it said', Buffer.from(said)] as const]) {
          expect([name, bytes.includes(secret)]).toEqual([name, false]);
        }
      }
    },
  );
});
