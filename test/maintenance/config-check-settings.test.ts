// What `ect config check` finds in settings and in the files that they name: every mistake at once, with what ends it.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/maintenance/config-check.ts';
import { generateKeyPem } from '../../src/signers/local/index.ts';
import { createCertificateAuthority } from '../support/certificates.ts';
import { describeWhen, describeWith } from '../support/need.ts';
import { MAIN, runMain } from '../support/service-process.ts';
import { checkFolder, problemsOf } from './checked-data.ts';

let folder = '';

beforeAll(async () => {
  folder = await checkFolder();
});

test.each([
  [{ ECT_TLS_CERT: 'none.pem' }, 'ECT_TLS_CERT'],
  [{ ECT_TLS_CLIENT_CA: 'none.pem' }, 'ECT_TLS_CLIENT_CA'],
  [{ ECT_SIGNER: 'kms', ECT_LOCAL_KEY_FILE: 'none.pem' }, 'ECT_LOCAL_KEY_FILE'],
  [{ ECT_POSTGRES_CA_FILE: 'none.pem' }, 'ECT_POSTGRES_CA_FILE'],
  [{ ECT_REPLAY: 'redis', ECT_REDIS_PASSWORD_FILE: 'none.pem' }, 'ECT_REDIS_PASSWORD_FILE'],
  [{ ECT_LOCAL_KEY_PASSPHRASE_FILE: 'none.pem' }, 'ECT_LOCAL_KEY_PASSPHRASE_FILE'],
])('%j: settings that contradict each other hide no missing file', async (env, name) => {
  const problems = await problemsOf({ ...env, ECT_DATA_DIR: join(folder, 'unused') });
  expect(problems.length).toBeGreaterThan(1);
  expect(problems).toContain(`The file of ${name} cannot be read: there is no file none.pem.`);
});

test('the check says what it has not seen: other servers, and the permissions of another user', async () => {
  const env = { ECT_SIGNER: 'kms', ECT_KMS_KEY: 'alias/a', ECT_KMS_REGION: 'eu-central-1', ECT_STORE: 'memory' };
  const { notChecked } = await checkConfig({ ...env, ECT_LISTEN: '127.0.0.1:0' }, { callKms: false });
  expect(notChecked).toContain('the key in AWS KMS: --kms');
  const isRoot = process.geteuid?.() === 0;
  expect(notChecked.some((what) => what.includes('as root'))).toBe(isRoot);
});

test('every mistake of settings, of files, of the data directory and of the address is found at once', async () => {
  const problems = await problemsOf({
    ECT_STOER: 'memory',
    ECT_WORKERS: 'many',
    ECT_LISTEN: '192.0.2.1:8080',
    ECT_ALLOW_ANONYMOUS: 'yes',
    ECT_DATA_DIR: '/dev/null/data',
    ECT_LOCAL_KEY_FILE: join(folder, 'no-key.pem'),
    ECT_TRUST_FILE: join(folder, 'no-trust.json'),
    ECT_TLS_CERT: join(folder, 'no-cert.pem'),
    ECT_TLS_KEY: join(folder, 'no-key.pem'),
  });
  const expected = [
    /^ECT_WORKERS must be/,
    /^ECT_STOER is not a setting: did you mean ECT_STORE\?/,
    /^ECT_DATA_DIR: a part of \/dev\/null\/data is a file/,
    /^The key file cannot be read: there is no file .*no-key\.pem/,
    /^The file of ECT_TLS_CERT cannot be read/,
    /^The file of ECT_TLS_KEY cannot be read/,
    /^The file of ECT_TRUST_FILE cannot be read/,
    /^Cannot listen on 192\.0\.2\.1:8080 \(EADDRNOTAVAIL\)/,
  ];
  expect(problems).toEqual(expected.map((rule) => expect.stringMatching(rule)));
});

test('a key that the service rotated to, and others may read, is a mistake: the start would go on and issue nothing', async () => {
  const path = join(folder, 'rotated');
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, 'signing-key-2.pem'), generateKeyPem(), { mode: 0o644 });
  const problems = await problemsOf({ ECT_DATA_DIR: path });
  expect(problems).toEqual([expect.stringMatching(/signing-key-2\.pem .*chmod 600/)]);
});

describeWith('openssl', 'certificates', () => {
  test('A7 one that has expired is a mistake, beside those of settings and of other files', async () => {
    using ca = createCertificateAuthority();
    const { cert, key } = ca.issue({ days: -1 });
    const files = { ECT_TLS_CERT: cert, ECT_TLS_KEY: key, ECT_TLS_CLIENT_CA: 'no certificate' };
    const env: Record<string, string> = { ECT_STORE: 'memory', ECT_MAX_CONNECTIONS: 'many' };
    for (const [setting, text] of Object.entries(files)) {
      env[setting] = join(folder, setting);
      await writeFile(env[setting], text);
    }
    expect(await problemsOf(env)).toEqual([
      expect.stringMatching(/^ECT_MAX_CONNECTIONS must be/),
      expect.stringMatching(/^The certificate in the file of ECT_TLS_CERT expired at /),
      expect.stringMatching(/^The file of ECT_TLS_CLIENT_CA is not PEM/),
    ]);
  });
});

describeWhen(process.getuid?.() === 0, 'as a user of its own', 'the right to be another user', () => {
  test('S11 a volume of root: where it is to be made and where it is there, with the lines of the manifest', async () => {
    const volume = join(folder, 'volume');
    await chmod(folder, 0o755);
    await mkdir(volume);
    const problemsAsUser = async (path: string) => {
      const { PATH, NODE_COMPILE_CACHE } = process.env;
      const env = { PATH, NODE_COMPILE_CACHE, ECT_DATA_DIR: path };
      const options = { uid: 1000, gid: 1000, cwd: '/', env };
      const failed = await promisify(execFile)(process.execPath, [MAIN, 'config', 'check', '--json'], options).catch(
        (error: { readonly stdout: string }) => error,
      );
      return (JSON.parse(failed.stdout) as { readonly problems: readonly string[] }).problems;
    };
    const manifest = '\n  securityContext:\n    runAsUser: 1000\n    fsGroup: 1000';
    const pod = `in Kubernetes, give the volume to the group of the pod:${manifest}`;
    expect(await problemsAsUser(volume)).toEqual([
      `ECT_DATA_DIR: user 1000 may not write ${volume} (owner: user 0, mode 0755). Run chown -R 1000:1000 ${volume}; ${pod}`,
    ]);
    const below = join(volume, 'a/b');
    expect(await problemsAsUser(below)).toEqual([
      `ECT_DATA_DIR: user 1000 may not make ${below} in ${volume} (owner: user 0, mode 0755). ` +
        `Run mkdir -p ${below} and chown 1000:1000 ${below}; ${pod}`,
    ]);
    const ledger = join(volume, 'ledger.db');
    await writeFile(ledger, '', { mode: 0o600 });
    await chown(volume, 1000, 1000);
    await chown(ledger, 0, 1000);
    await chmod(ledger, 0o660);
    expect(await problemsAsUser(volume)).toEqual([
      `ECT_DATA_DIR: ${ledger} (owner: user 0, mode 0660) must belong to user 1000, who runs the service. ` +
        `Run chown -R 1000:1000 ${ledger}.`,
      expect.stringMatching(/ledger\.db is there but its key .* is not/),
    ]);
  });
});

describe('the command', () => {
  test('exits with 0 and shows the configuration, or with 2 and every mistake', async () => {
    await mkdir(join(folder, 'mine'), { mode: 0o700 });
    // Not the default port: a service may be running beside the tests.
    const listen = { ECT_LISTEN: '127.0.0.1:0' };
    const env = { ECT_DATA_DIR: join(folder, 'mine'), ECT_ISSUER: 'urn:example:mine', ...listen };
    const sound = await runMain(['config', 'check'], env);
    expect(sound).toMatchObject({ code: 0, stderr: '' });
    expect(sound.stdout).toMatch(/^✓ a service would start with this configuration\n/);
    expect(sound.stdout).toMatch(/^ {2}ECT_ISSUER +urn:example:mine$/m);
    expect(sound.stdout).toMatch(/^ {2}ECT_STORE +sqlite \(default\)$/m);
    expect((await stat(join(folder, 'mine'))).isDirectory()).toBe(true);
    expect(await readdir(join(folder, 'mine'))).toEqual([]);

    const wrong = await runMain(['config', 'check'], { ...env, ECT_STORE: 'paper', ECT_TRUST_FILE: '/nowhere/trust' });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(
      /^✗ The configuration has 2 mistakes:\n {2}ECT_STORE must be .*\n {2}The file of ECT_TRUST_FILE cannot be read/,
    );

    const json = await runMain(['config', 'check', '--json'], { ...env, ECT_STORE: 'paper' });
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, problems: [expect.any(String)], settings: {} });

    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const busy = await runMain(['config', 'check'], { ...env, ECT_LISTEN: `127.0.0.1:${port}` });
    server.close();
    expect(busy).toMatchObject({ code: 0, stdout: expect.stringMatching(/^✓ no mistake, but see above\n/) });
    expect(busy.stderr).toMatch(/^! Another process uses 127\.0\.0\.1:\d+ now\./);
  });
});
