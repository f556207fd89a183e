// The package, as somebody uses it: made by `npm pack`, installed into an empty folder, with nothing of the repository around it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAX_INSTALLED_BYTES = 60_000_000;
/** Compiling and installing: on a busy machine that takes minutes. */
const INSTALL_MS = 900_000;

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const scratch = await mkdtemp(join(tmpdir(), 'ect-package-'));
const app = join(scratch, 'app');
const installed = join(app, 'node_modules/ect-authority');
// Nothing of the npm that runs the tests reaches the one that installs.
const { PATH, HOME } = process.env;
const env = { PATH, HOME };

beforeAll(async () => {
  await run('npm', ['pack', '--pack-destination', scratch], { cwd: root, env });
  await mkdir(app);
  const tarball = join(scratch, `ect-authority-${manifest.version}.tgz`);
  // What `npm ci` has fetched for the repository is in npm's cache.
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: app, env });
}, INSTALL_MS);
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('the installed package', () => {
  test('holds the program, what it reads, and what other implementations read, and nothing else', () => {
    const files = globSync('**/*', { cwd: installed, withFileTypes: true }).filter((file) => file.isFile());
    const paths = files.map((file) => join(file.parentPath, file.name).slice(installed.length + 1));
    expect(new Set(paths.map((path) => path.split('/')[0]))).toEqual(
      new Set(
        'CHANGELOG.md LICENSE NOTICE README.md SECURITY.md dist docs package.json policy proto vectors'.split(' '),
      ),
    );
    expect(paths.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))).toEqual([]);
    expect(globSync('vectors/**/*.json', { cwd: installed })).toHaveLength(
      globSync('vectors/**/*.json', { cwd: root }).length,
    );
  });

  test('takes at most 60 MB with its dependencies', async () => {
    const { stdout } = await run('du', ['--summarize', '--bytes', app]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(MAX_INSTALLED_BYTES);
  });

  test('has every file that the program names relative to its own files', async () => {
    const named = [];
    for (const path of globSync('dist/**/*.js', { cwd: installed })) {
      const code = await readFile(join(installed, path), 'utf8');
      for (const [, name = ''] of code.matchAll(/new URL\(['"`](.+?)['"`], import\.meta\.url\)/g)) {
        named.push(join(dirname(path), name.replace(/\$\{extname\(import\.meta\.url\)\}$/, '.js')));
      }
    }
    expect(named).toContain('dist/stores/sqlite/backfill-thread.js');
    expect(named.filter((name) => !name.includes('${') && !existsSync(join(installed, name)))).toEqual([]);
  });

  test('maps its code to the lines of the sources', async () => {
    const code = await readFile(join(installed, 'dist/main.js'), 'utf8');
    const map = JSON.parse(await readFile(join(installed, 'dist/main.js.map'), 'utf8'));
    expect(code).toContain('//# sourceMappingURL=main.js.map');
    expect(map.sources).toEqual(['../src/main.ts']);
  });

  test('says which Node it needs on one that is too old', async () => {
    const older = `Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })`;
    const started = run(process.execPath, ['--import', `data:text/javascript,${older}`, bin('ect'), '--version']);
    await expect(started).rejects.toMatchObject({
      code: 1,
      stderr: 'ect needs Node 24 or later; this is Node 20.20.2.\n',
    });
  });
});

test('`npx ect --help` and `npx ect-authority --version` run where only the package is installed', async () => {
  expect((await run('npx', ['ect', '--help'], { cwd: app, env })).stdout).toContain('Usage: ect');
  const { stdout } = await run('npx', ['ect-authority', '--version'], { cwd: app, env });
  expect(stdout.trim()).toBe(manifest.version);
});

const CLIENT = `
  import { createClient } from '@connectrpc/connect';
  import { createGrpcTransport } from '@connectrpc/connect-node';
  import { AuthorityService } from 'ect-authority/ect/v1/authority_pb';

  const client = createClient(AuthorityService, createGrpcTransport({ baseUrl: String(process.argv[2]) }));
  const { token } = await client.issue({ execAct: 'review', aud: ['urn:example:b'] });
  const { valid } = await client.verify({ token, audience: 'urn:example:b' });
  const again = await client.verify({ token, audience: 'urn:example:b' });
  console.log(JSON.stringify({ valid, again: again.valid }));
`;

describe.each([
  ['npx ect-authority serve', 'one process', {}],
  ['npx ect serve', 'two workers under a policy', { ECT_WORKERS: '2', ECT_POLICY_FILE: 'policy.cedar' }],
])('`%s`: %s', (command, _, settings) => {
  test('issues and verifies a token for a client with the messages of the package, and ends on SIGTERM', async () => {
    await writeFile(join(app, 'client.mts'), CLIENT);
    const { stdout: policy } = await run('npx', ['ect', 'policy', 'print'], { cwd: app, env });
    await writeFile(join(app, 'policy.cedar'), policy);

    const all = { ...env, ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'debug', ...settings };
    const service = spawn('npx', command.split(' ').slice(1), {
      cwd: app,
      env: all,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    service.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
    });
    const closed = once(service, 'close');
    try {
      const [line] = (await Promise.race([
        once(createInterface({ input: service.stdout }), 'line'),
        closed.then(() => Promise.reject(new Error(log))),
      ])) as [string];
      const url = line.replace(/^listening on /, '');
      const { stdout } = await run(process.execPath, ['client.mts', url], { cwd: app, env });
      expect(JSON.parse(stdout)).toEqual({ valid: true, again: false });
    } finally {
      service.kill('SIGTERM');
      // The service has the other end of the pipes: they are closed when it has drained.
      await closed;
    }
    // The shell between is ended by the signal, and npx with it.
    expect(await closed).toEqual([null, 'SIGTERM']);
    expect(log).toContain('"event":"stopped"');
    expect(log.split('\n').filter((line) => /"level":"error"|storage-(?:failed|damaged)/.test(line))).toEqual([]);
  });
});

test('the messages have types', async () => {
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const check = async (code: string) => {
    await writeFile(join(app, 'typed.mts'), code);
    const options = '--noEmit --strict --target es2024 --module nodenext'.split(' ');
    await run(join(root, 'node_modules/.bin/tsc'), [...options, ...types, 'typed.mts'], { cwd: app, env });
  };
  await check(CLIENT);
  await expect(check(CLIENT.replace("execAct: 'review'", 'execAct: 7'))).rejects.toMatchObject({
    stdout: expect.stringContaining("not assignable to type 'string'"),
  });
});

function bin(name: string): string {
  return join(app, 'node_modules/.bin', name);
}
