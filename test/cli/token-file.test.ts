// The bearer token of the command line: read for each call, sent to who may hear it, and never shown.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startTestServer } from '../support/rpc-server.ts';
import { ect } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-token-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

test('the token that is in the file now is sent', async () => {
  const seen: string[] = [];
  await using running = await startTestServer({
    authenticate: (presented) => {
      seen.push(...presented.header('authorization'));
      return { kind: 'anonymous' };
    },
  });
  const path = file('token', 'one.two.three\n');
  const issue = () =>
    ect(['issue', '--exec-act', 'a', '--aud', 'b', '--url', running.server.url, '--token-file', path]);
  await issue();
  file('token', 'four.five.six');
  await issue();
  expect(seen).toEqual(['Bearer one.two.three', 'Bearer four.five.six']);
});

test.each(['http://10.0.0.1:8080', 'http://ect.example', 'http://127.0.0.1.example.org'])(
  'it is not sent in clear text to %s',
  async (url) => {
    const { code, err } = await ect([
      'authority',
      '--url',
      url,
      '--token-file',
      file('secret', 'canary.canary.canary'),
    ]);
    expect(code).toBe(2);
    expect(err).toContain(
      '--token-file (ECT_TOKEN_FILE) needs a --url (ECT_URL) that begins with https://, or leads to this machine',
    );
    expect(err).not.toContain('canary');
  },
);

test.each([
  ['is empty', ''],
  ['has two lines', 'canary\ncanary'],
  ['holds something else', 'Bearer canary'],
])('a file that %s is wrong usage', async (_, content) => {
  const { code, err } = await ect(['authority', '--token-file', file('wrong', content)]);
  expect(code).toBe(2);
  expect(err).toMatch(/--token-file \(ECT_TOKEN_FILE\): there is no bearer token in .*wrong/);
  expect(err).not.toContain('canary');
});

test('a file that is not there is wrong usage', async () => {
  const { code, err } = await ect(['authority', '--token-file', join(folder, 'none')]);
  expect(code).toBe(2);
  expect(err).toContain('--token-file (ECT_TOKEN_FILE): ');
});
