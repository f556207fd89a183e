// The kind of fault: damage whose reason names another component, or whose advice is to repeat what cannot succeed.

import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TokenUse } from '../../../src/authority/index.ts';
import { EctError, type ErrorReason, REASONS, remedyFor } from '../../../src/errors.ts';
import { codeOf } from '../../../src/rpc/errors.ts';
import { SqliteIssueMemo, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';

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

test('a damaged once.db is ONCE_CORRUPT for the guard and for idempotency keys, and nobody is told to retry', async () => {
  const first = SqliteIssueMemo.open(path);
  await first.remember('ada', 'key', { requestDigest: new Uint8Array(32), token: 't' }, NOW + 60, NOW);
  await first.close();
  await damage();
  const memo = await errorOf(async () => {
    const opened = SqliteIssueMemo.open(path);
    try {
      await opened.recall('ada', 'key', NOW);
    } finally {
      await opened.close();
    }
  });
  const use: TokenUse = {
    audience: 'urn:a',
    iss: 'urn:b',
    wid: '',
    jti: 'j',
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
  expect(memo.message).toContain('idempotency keys');
  expect(guard.message).toContain('replay guard');
});

test('no reason that means damage advises to retry', () => {
  const reasons = (Object.keys(REASONS) as ErrorReason[]).filter((reason) => codeOf(reason) === Code.DataLoss);
  expect(reasons).toEqual(['LEDGER_CORRUPT', 'ONCE_CORRUPT']);
  for (const reason of reasons) expect(remedyFor(reason)).not.toMatch(/retry/i);
});
