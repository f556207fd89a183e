// A ledger that is damaged under a running service, or while it is stopped: nothing is recorded any more, what can be proven is
// still read, and every rejection says so. Once the file is intact again the service continues by itself.

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { runMain, type ServiceProcess, type Settings, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const LEDGER = 'ect.v1.LedgerService';
const FAST = { ECT_LEDGER_SCRUB_PER_SEC: '100000' };

const record = (client: GrpcClient) =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: ['urn:example:reviewer'], level: 'LEVEL_L3' });

async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof CallError) return error.info?.reason;
      throw error;
    },
  );
}

async function readiness({ url }: ServiceProcess) {
  const page = await fetch(`${url}/readyz`);
  return { status: page.status, ...((await page.json()) as { checks: Record<string, boolean> }).checks };
}

/** A service with some tasks, all of them in the main file, and the `jti` of one. */
async function recordedService(settings: Settings) {
  const service = await startService(settings);
  using client = dial(service.address);
  const jtis: string[] = [];
  for (let turn = 0; turn < 5; turn++) jtis.push((await record(client)).claims.jti);
  const [jti = '', ...others] = jtis.reverse();
  await service.stop();
  return { service, jti, others, path: join(service.dataDir, 'ledger.db') };
}

/** Flips a bit of the name of a task, or of the key of a use, in the index by it. Answers how it is flipped back. */
async function flipInIndex(path: string, jti: string | Uint8Array): Promise<() => Promise<void>> {
  const bytes = readFileSync(path);
  const pageSize = bytes.readUInt16BE(16);
  for (let at = bytes.indexOf(jti); at >= 0; at = bytes.indexOf(jti, at + 1)) {
    // 10: a leaf page of an index.
    if (bytes[Math.floor(at / pageSize) * pageSize] !== 10) continue;
    const set = async (byte: number) => {
      await using file = await open(path, 'r+');
      await file.write(Buffer.of(byte), 0, 1, at);
    };
    await set(bytes[at]! ^ 1);
    return () => set(bytes[at]!);
  }
  throw new Error('the name is in no index');
}

describe('L7 L27: damage of an index', () => {
  test('under a running service stops writing, not reading; it lasts over a restart, and ends with the damage', async () => {
    const { service, jti, others, path } = await recordedService(FAST);
    await using _service = service;
    await service.restart();
    const flipBack = await flipInIndex(path, jti);
    await expect.poll(() => readiness(service), SOON).toMatchObject({ status: 503, integrity: false });
    await expect
      .poll(() => service.events('storage-damaged')[0], SOON)
      .toMatchObject({ fault: 'it is not found by its name' });
    const expectRejections = async () => {
      using client = dial(service.address);
      expect(await reasonOf(record(client))).toBe('LEDGER_CORRUPT');
      // An entry that is not found may exist, so the answer does not say that it does not.
      const unknown = randomUUID();
      expect(await reasonOf(client.call(`${LEDGER}/GetEntry`, { task: { jti: unknown } }))).toBe('LEDGER_CORRUPT');
      const order = { exec_act: 'a', aud: ['urn:a'], pred: [unknown] };
      expect(await reasonOf(client.call(`${AUTHORITY}/Issue`, order))).toBe('LEDGER_CORRUPT');
      // A page that is kept in memory may still lead to the one that is there.
      const hit = await reasonOf(client.call(`${LEDGER}/GetEntry`, { task: { jti } }));
      expect(['LEDGER_CORRUPT', undefined]).toContain(hit);
      const said = await runMain(['audit', '--url', service.url, '--json']);
      expect(JSON.parse(said.stdout).faults).toEqual([
        { index: null, fault: expect.stringContaining('the service itself knows of damage of its ledger') },
      ]);
      expect(said.code).toBe(1);
      // Other entries are found and proven, tokens are issued and verified.
      expect(await reasonOf(client.call(`${LEDGER}/GetEntry`, { index: '2' }))).toBeUndefined();
      // Not each of them: the order of the index is wrong now.
      const named = others.map((other) => reasonOf(client.call(`${LEDGER}/GetEntry`, { task: { jti: other } })));
      expect(await Promise.all(named)).toContain(undefined);
      expect(await reasonOf(client.call(`${LEDGER}/ListEntries`, {}))).toBeUndefined();
      expect(await reasonOf(client.call(`${LEDGER}/GetCheckpoint`, {}))).toBeUndefined();
      expect(await reasonOf(client.call(`${AUTHORITY}/Issue`, { exec_act: 'a', aud: ['urn:a'] }))).toBeUndefined();
    };
    await expectRejections();
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('ect_storage_damaged{file="ledger.db"} 1');
    await service.kill();
    await service.restart();
    expect(await readiness(service)).toMatchObject({ status: 503, integrity: false });
    await expectRejections();

    await flipBack();
    await expect.poll(() => readiness(service), SOON).toMatchObject({ status: 200, integrity: true });
    expect(existsSync(join(service.dataDir, 'ledger.damaged'))).toBe(false);
    using client = dial(service.address);
    await record(client);
    await expect.poll(() => service.events('storage-sound').length, SOON).toBe(1);
    expect(service.events('bug')).toEqual([]);
    await service.stop();
  });

  test('while it is stopped is found at the start, without any scrub, by each worker', async () => {
    const { service, jti, path } = await recordedService({ ECT_LEDGER_SCRUB_PER_SEC: '0', ECT_WORKERS: '2' });
    await using _service = service;
    await flipInIndex(path, jti);
    await service.restart();
    for (let turn = 0; turn < 6; turn++) {
      using client = dial(service.address);
      expect(await reasonOf(record(client))).toBe('LEDGER_CORRUPT');
      expect(await readiness(service)).toMatchObject({ status: 503, integrity: false });
    }
    await service.stop();
  });
});

describe('R2 L27: damage of the expiring keys', () => {
  /** By which the one use is found. */
  const keyOfUse = (path: string) => {
    const database = new DatabaseSync(path, { readOnly: true });
    const key = database.prepare('SELECT key FROM uses').get()?.['key'] as Uint8Array;
    database.close();
    return key;
  };

  /** A service that was stopped after a token was used, and how that is verified again. */
  async function usedService(settings: Settings) {
    const service = await startService(settings);
    const audience = 'urn:example:reviewer';
    const again = async (token: string) => {
      using client = dial(service.address);
      return await client.call<{ readonly valid: boolean }>(`${AUTHORITY}/Verify`, { token, audience });
    };
    using client = dial(service.address);
    const { token } = await client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [audience] });
    await record(client);
    expect((await again(token)).valid).toBe(true);
    await service.stop();
    return { service, token, again, path: join(service.dataDir, 'once.db') };
  }

  test('while it is stopped is found before calls are taken: no use is granted again', async () => {
    const { service, token, again, path } = await usedService({ ECT_LEDGER_SCRUB_PER_SEC: '0' });
    await using _service = service;
    await flipInIndex(path, keyOfUse(path));
    await service.restart();
    expect(await readiness(service)).toMatchObject({ status: 503, integrity: false });
    expect(await reasonOf(again(token))).toBe('ONCE_CORRUPT');
    await service.stop();
  });

  test('is found by each worker before it takes calls, also by one that takes the place of another', async () => {
    const { service, token, again, path } = await usedService({ ECT_LEDGER_SCRUB_PER_SEC: '0', ECT_WORKERS: '2' });
    await using _service = service;
    const key = keyOfUse(path);
    await service.restart();
    await flipInIndex(path, key);
    const workers = readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8').trim().split(' ');
    expect(workers).toHaveLength(2);
    // The second one: the first one has examined the files of all.
    process.kill(Number(workers[1]), 'SIGKILL');
    const found = { file: 'once.db', worker: 2 };
    await expect.poll(() => service.events('storage-damaged')[0], SOON).toMatchObject(found);
    await expect.poll(() => reasonOf(again(token)), SOON).toBe('ONCE_CORRUPT');
    // Which worker an audit meets is not said; each of them knows within a second.
    const faults = async () => JSON.parse((await runMain(['audit', '--url', service.url, '--json'])).stdout).faults;
    const ofAFile = {
      index: null,
      fault: expect.stringContaining('the service itself knows of damage of one of its files'),
    };
    await expect.poll(faults, SOON).toEqual([ofAFile]);
    await service.stop();
  });

  test('an emptied file is rejected beside a ledger with entries; where it was removed, the log says what that costs', async () => {
    const { service, token, again, path } = await usedService({});
    await using _service = service;
    for (const file of [`${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
    writeFileSync(path, '');
    for (let start = 0; start < 2; start++) {
      await expect(service.restart()).rejects.toThrow('once.db is empty although the ledger has entries');
    }
    rmSync(path);
    await service.restart();
    await expect.poll(() => service.events('uses-forgotten').length, SOON).toBe(1);
    expect((await again(token)).valid).toBe(true);
    await service.stop();
  });
});

/** A use of a fresh token. */
async function use(client: GrpcClient): Promise<unknown> {
  const audience = 'urn:example:reviewer';
  const { token } = await client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: 'review', aud: [audience] });
  return client.call(`${AUTHORITY}/Verify`, { token, audience });
}

test.each([
  ['the ledger', 'ledger.damaged', record, 'LEDGER_CORRUPT'],
  ['the memory of uses', 'once.damaged', use, 'ONCE_CORRUPT'],
])(
  'L27: %s, once another process found it damaged, is not written until a whole pass finds nothing',
  async (_, mark, write, reason) => {
    await using service = await startService(FAST);
    using client = dial(service.address);
    await write(client);
    // A pass over so little may be through before a write has met the mark: then another process finds the damage once more.
    const writeMarked = () => {
      writeFileSync(join(service.dataDir, mark), '{}\n');
      return reasonOf(write(client));
    };
    await expect.poll(writeMarked, SOON).toBe(reason);
    await expect.poll(() => reasonOf(write(client)), SOON).toBeUndefined();
    expect(existsSync(join(service.dataDir, mark))).toBe(false);
    await service.stop();
  },
);
