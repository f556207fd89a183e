// `npm run kms`, as a newcomer uses it: what it prints is copied, and the service signs with it.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';

const MAIN = fileURLToPath(new URL('../../kms-double/main.ts', import.meta.url));

test('it prints settings with which the service starts and signs, and exits with 0 after a stop signal', async () => {
  const child = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const settings: Record<string, string> = {};
    for await (const line of createInterface({ input: child.stdout })) {
      const [, name, value] = /^export ([A-Z_]+)=(\S+)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) settings[name] = value;
      if (line === 'npm start') break;
    }
    const { ECT_DATA_DIR: dataDir, ...others } = settings;
    expect(dataDir).toMatch(/^\.\/data\/kms-[0-9a-f]{8}$/);
    await using service = await startService(others);
    using client = dial(service.address);
    const order = { exec_act: 'review', aud: ['urn:example:b'] };
    const { token } = await client.call<Issued>('ect.v1.AuthorityService/Issue', order);
    expect(token.split('.')).toHaveLength(3);
    expect(service.events('started')[0]).toMatchObject({ signer: 'kms' });
    expect(await service.stop()).toBe(0);
  } finally {
    child.kill('SIGTERM');
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    expect(code).toBe(0);
  }
});

test.each([
  ['--port', 'x'],
  ['--requests-per-second', '0'],
  ['--nope', '1'],
])('%s %s is wrong usage: it says how it is called, and ends with 2', (...options) => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...options], { encoding: 'utf8', timeout: 10_000 });
  expect(status).toBe(2);
  expect(stderr).toMatch(/\nnpm run kms -- \[--port <number>\]/);
  expect(stderr).not.toContain('    at ');
});
