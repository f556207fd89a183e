// The program as a shell sees it: a process, its exit code, its streams.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAIN, runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

let service: ServiceProcess;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

test('a shell keeps a token in a variable, and hands it on', async () => {
  const script = `
    set -e
    TOKEN=$("$NODE" "$MAIN" issue --exec-act review_spec --aud urn:ect:dev)
    printf '%s' "$TOKEN" | "$NODE" "$MAIN" verify - --audience urn:ect:dev --json`;
  const env = { PATH: process.env['PATH'], NODE: process.execPath, MAIN, ECT_URL: service.url };
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', script], { env, timeout: 60_000 });
  expect(JSON.parse(stdout)).toMatchObject({ valid: true, claims: { execAct: 'review_spec' } });
});

test('the message about TLS to a service without TLS says so, with the address to use', async () => {
  const { code, stderr } = await runMain(['checkpoint', '--url', service.url.replace('http:', 'https:')], {});
  expect(code).toBe(1);
  expect(stderr).toContain('does not speak TLS');
  expect(stderr).toContain('begins with http://');
});

test('a setting that is empty is not set, whichever program reads it', async () => {
  const names = ['ECT_CA', 'ECT_CERT', 'ECT_KEY', 'ECT_TOKEN_FILE', 'ECT_SERVER_ID', 'ECT_CONFIG'];
  const empty = Object.fromEntries(names.map((name) => [name, '']));
  expect(await runMain(['checkpoint'], { ...empty, ECT_URL: service.url })).toMatchObject({ code: 0, stderr: '' });
  const { stderr } = await runMain(['checkpoint', '--timeout', '5s'], { ...empty, ECT_URL: '' });
  // Which is not "the URL is none": it is asked where services listen.
  expect(stderr).not.toContain('--url <url>');
});

test.each([
  ['an option', ['checkpoint', '--ca', ''], "error: option '--ca <file>' is empty"],
  [
    'one of the values of an option',
    ['issue', '--exec-act', 'a', '--aud', 'b', ''],
    "error: option '--aud <uri...>' is empty",
  ],
  ['an argument', ['verify', ''], "error: argument 'token' is empty"],
])('%s that is empty, as of a shell variable that is not set, is wrong usage', async (_what, argv, message) => {
  const { code, err } = await ect(argv);
  expect(code).toBe(2);
  expect(err).toContain(message);
});

test.each([
  [1, ['verify', 'no.to.ken', '--audience', 'urn:ect:dev']],
  [2, ['entry', '--index', 'first']],
])('the process exits with %i', async (expected, argv) => {
  const { code, stderr } = await runMain(argv, { ECT_URL: service.url });
  expect(code).toBe(expected);
  expect(stderr).not.toMatch(/^ +at /m);
});
