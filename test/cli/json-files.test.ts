// Files of JSON that a command reads: what is wrong with one is said by the place in it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ect } from './run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-json-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  ['text that is not JSON', '{"leaf": ', /neither a tlog-proof nor a receipt in JSON \(it is not JSON\)/],
  ['a field of another type', '{"leaf": 7}', /\(cannot decode .*leaf/],
  ['an object without a receipt', '{"leafIndex": "0"}', /is no receipt: it has no leaf and no proof/],
  ['a receipt without its proof', '{"receipt": {"leaf": "e30="}}', /is no receipt: it has no proof/],
])('a receipt: %s', async (_, content, rule) => {
  const path = join(folder, 'receipt.json');
  await writeFile(path, content);
  const { code, err } = await ect(['verify', 'token', '--receipt', path, '--ledger-key', 'key']);
  expect(code).toBe(2);
  expect(err).toMatch(rule);
  expect(err).not.toMatch(/^ +at /m);
});

test.each([
  ['text that is not JSON', '["a", ', /begins like a JSON array, but it is not JSON/],
  ['an item that is no text', '["a", {"token": "b"}]', /item 1 \(from 0\) of the JSON array is no text/],
])('a bundle: %s', async (_, content, rule) => {
  const { code, err } = await ect(['dag', '--bundle', '-'], content);
  expect(code).toBe(2);
  expect(err).toMatch(rule);
});
