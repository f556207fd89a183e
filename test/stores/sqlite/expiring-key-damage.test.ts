// The kind of fault: damage whose reason names another component, or whose advice is to repeat what cannot succeed.

import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TokenUse } from '../../../src/authority/index.ts';
import { onceFaults } from '../../../src/backup/examine.ts';
import { codeOf } from '../../../src/calls/errors.ts';
import { EctError, type ErrorReason, REASONS, remedyFor } from '../../../src/errors.ts';
import { SqliteIdempotencyStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';

const NOW = 1_800_000_000;
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-once-damage-'));
  path = join(folder, 'once.db');
});
afterEach(() => rm(folder, { recursive: true }));

/** Leaves the first page, and so the kind of the file, as it is. */
async function damage(): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  await file.write(Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096);
}

async function errorOf(call: () => unknown): Promise<EctError> {
  const error = await (async () => call())().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EctError);
  return error as EctError;
}

test('a damaged once.db is ONCE_CORRUPT for the guard and for request ids, without a time for a retry', async () => {
  const first = SqliteIdempotencyStore.open(path);
  await first.remember('ada', 'key', { requestDigest: new Uint8Array(32), token: 't' }, NOW + 60, NOW);
  await first.close();
  await damage();
  const memo = await errorOf(async () => {
    const opened = SqliteIdempotencyStore.open(path);
    try {
      await opened.findIssued('ada', 'key', NOW);
    } finally {
      await opened.close();
    }
  });
  const use: TokenUse = {
    audience: 'urn:a',
    iss: 'urn:b',
    wid: '',
    jti: 'j',
    iat: 1_000,
    digest: new Uint8Array(32),
    signingInput: 'a.b',
    requestId: '',
  };
  const guard = await errorOf(async () => {
    const opened = SqliteReplayGuard.open(path);
    try {
      await opened.claim(use, NOW + 60, NOW);
    } finally {
      await opened.close();
    }
  });
  for (const error of [memo, guard]) {
    expect(error.reason).toBe('ONCE_CORRUPT');
    expect(error.message).toMatch(/once\.db\) is damaged: restore it from a backup/);
    expect(remedyFor(error.reason)).not.toMatch(/retry/i);
  }
  expect(memo.message).toContain('idempotency store');
  expect(guard.message).toContain('replay guard');
});

test('no reason that means damage advises to retry', () => {
  const reasons = (Object.keys(REASONS) as ErrorReason[]).filter((reason) => codeOf(reason) === Code.DataLoss);
  expect(reasons).toEqual(['LEDGER_CORRUPT', 'ONCE_CORRUPT']);
  for (const reason of reasons) expect(remedyFor(reason)).not.toMatch(/retry/i);
});

/** What an operator does on the command line. */
function reindex(): void {
  const connection = new DatabaseSync(path);
  connection.exec('REINDEX');
  connection.close();
}

/** Flips a bit of what the row of `column` is found by, in an index and not in the table. */
function flipInIndex(column: 'key' | 'keep_until'): void {
  const connection = new DatabaseSync(path, { readOnly: true });
  const value = connection.prepare(`SELECT ${column} AS value FROM uses`).get()?.['value'];
  connection.close();
  const sought = value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(4);
  if (typeof value === 'number') sought.writeUInt32BE(value);
  const bytes = readFileSync(path);
  const pageSize = bytes.readUInt16BE(16);
  for (let at = bytes.indexOf(sought); at >= 0; at = bytes.indexOf(sought, at + 1)) {
    // 10: a leaf page of an index.
    if (bytes[Math.floor(at / pageSize) * pageSize] !== 10) continue;
    bytes[at + 2]! ^= 1;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error('no index has it');
}

test.each([
  ['key', 'a row of uses is not found by its key'],
  ['keep_until', 'a row of uses is not found by its end'],
] as const)(
  'L27: a flipped bit of the %s in an index is named, and gone after REINDEX, as the operating page says',
  async (column, fault) => {
    const use: TokenUse = {
      audience: 'urn:a',
      iss: 'urn:b',
      wid: '',
      jti: 'j',
      iat: 1_000,
      digest: hash('sha256', 'a.b', 'buffer'),
      signingInput: 'a.b',
      requestId: '',
    };
    const claim = async () => {
      const guard = SqliteReplayGuard.open(path);
      try {
        return await guard.claim(use, NOW + 60, NOW);
      } finally {
        await guard.close();
      }
    };
    expect(await claim()).toBe('fresh');
    flipInIndex(column);
    const faults = await onceFaults(path, true);
    expect(faults[0]).toBe(fault);
    // Its lines name keys and ends only, beside what SQLite says of the index.
    expect(faults.slice(1).filter((line) => !/SQLite: row 1 missing from index/.test(line))).toEqual([]);
    reindex();
    expect(await onceFaults(path, true)).toEqual([]);
    expect(await claim()).toBe('replayed');
  },
);
