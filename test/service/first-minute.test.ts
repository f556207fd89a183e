// What a newcomer does in the first minute: start it with nothing configured, and use it with nothing installed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { MAIN, runMain } from '../support/service-process.ts';

const LIMIT_MS = 60_000;

test('npm start is the command that serves', async () => {
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(scripts.start).toBe('exec node src/main.ts serve');
});

test('with nothing configured but a free port it serves within a minute, and keeps what it makes to its user', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-first-'));
  const began = performance.now();
  // Not by the helper of the other tests: the settings that it makes are what a newcomer does not have.
  const env = { PATH: process.env['PATH'], ECT_LISTEN: '127.0.0.1:0' };
  const child = spawn(process.execPath, [MAIN, 'serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const url = line.replace(/^listening on /, '');
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);

    const post = async (method: string, request: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${url}/ect.v1.${method}`, { method: 'POST', headers, body: JSON.stringify(request) });
      return JSON.parse(await answer.text());
    };
    const { token, claims } = await post('AuthorityService/Issue', { execAct: 'review', aud: ['urn:example:b'] });
    const verify = { token, audience: 'urn:example:b' };
    expect(await post('AuthorityService/Verify', verify)).toMatchObject({ valid: true });
    expect(await post('AuthorityService/AppendLedger', { token })).toMatchObject({
      entry: { task: { name: { jti: claims.jti } } },
    });
    expect(performance.now() - began).toBeLessThan(LIMIT_MS);

    // Which release runs is said wherever somebody looks for it.
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(`ect_build_info{version="${version}",node="`);
    expect(await (await fetch(`${url}/.well-known/ect-authority`)).json()).toMatchObject({ version });

    // The command line finds the service and its ledger without being taught anything but the address.
    const shown = await runMain(['entry', '--jti', claims.jti, '--url', url, '--json']);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain(claims.jti);

    const data = join(folder, 'data');
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    const files = await readdir(data);
    expect(files).toEqual(expect.arrayContaining(['ledger.db', 'ledger.key', 'once.db', 'signing-key.pem']));
    for (const file of files) expect((await stat(join(data, file))).mode & 0o077).toBe(0);
  } finally {
    child.kill('SIGTERM');
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    await rm(folder, { recursive: true, force: true });
    expect(code).toBe(0);
  }
});
