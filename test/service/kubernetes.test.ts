// S11: the service where Kubernetes puts it: the environment of its Service, volumes with fsGroup, volumes of root, mounted
// secrets, and the manifest that we give as an example.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/config/index.ts';
import { generateKeyPem } from '../../src/signers/local/index.ts';
import { describeWhen } from '../support/need.ts';
import { MAIN, startService } from '../support/service-process.ts';

const LINKS = {
  ECT_AUTHORITY_SERVICE_HOST: '10.96.7.1',
  ECT_AUTHORITY_SERVICE_PORT: '8443',
  ECT_AUTHORITY_SERVICE_PORT_GRPC: '8443',
  ECT_AUTHORITY_PORT: 'tcp://10.96.7.1:8443',
  ECT_AUTHORITY_PORT_8443_TCP: 'tcp://10.96.7.1:8443',
  ECT_AUTHORITY_PORT_8443_TCP_PROTO: 'tcp',
  ECT_AUTHORITY_PORT_8443_TCP_PORT: '8443',
  ECT_AUTHORITY_PORT_8443_TCP_ADDR: '10.96.7.1',
};

test('S11 a second start on a volume with fsGroup, with a Service of its own name: it takes the files back and runs', async () => {
  await using service = await startService(LINKS);
  expect(await service.stop()).toBe(0);
  const files = await readdir(service.dataDir);
  expect(files).toEqual(expect.arrayContaining(['signing-key.pem', 'ledger.key', 'ledger.db', 'once.db']));
  // What the kubelet does at each mount.
  for (const name of files) await chmod(join(service.dataDir, name), 0o660);
  await chmod(service.dataDir, 0o2770);
  await service.restart();
  for (const name of ['signing-key.pem', 'ledger.key', 'ledger.db', 'once.db']) {
    expect((await stat(join(service.dataDir, name))).mode & 0o777, name).toBe(0o600);
  }
});

const [USER, GROUP] = [1000, 1000];

describeWhen(process.getuid?.() === 0, 'as a user of its own', 'the right to be another user', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ect-kubernetes-'));
    await chmod(folder, 0o755);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Runs the service as user 1000 until it listens or ends. Answers the exit code, 0 where it listened, and what it said. */
  async function runAsUser(settings: Readonly<Record<string, string>>) {
    const env = { PATH: process.env['PATH'], ECT_LISTEN: '127.0.0.1:0', ECT_LOG_LEVEL: 'warn', ...settings };
    const options = { uid: USER, gid: GROUP, cwd: '/', env };
    const child = spawn(process.execPath, [MAIN, 'serve'], options);
    let said = '';
    for (const output of [child.stdout, child.stderr]) {
      output.on('data', (chunk) => {
        said += String(chunk);
        if (said.includes('listening on')) child.kill('SIGTERM');
      });
    }
    const [code, signal] = await once(child, 'close');
    return { code: code ?? signal, said };
  }

  const MANIFEST = '  securityContext:\n    runAsUser: 1000\n    fsGroup: 1000\n';

  test('S11 a volume that belongs to root is named, with its owner, the user, and the lines of the manifest that correct it', async () => {
    const data = join(folder, 'data');
    await mkdir(data, { mode: 0o755 });
    for (const place of [data, join(data, 'below')]) {
      const { code, said } = await runAsUser({ ECT_DATA_DIR: place });
      expect(code).toBe(1);
      const denial = place === data ? `write ${data}` : `make ${place} in ${data}`;
      expect(said).toContain(`user 1000 may not ${denial} (owner: user 0, mode 0755). Run `);
      expect(said.endsWith(MANIFEST)).toBe(true);
      expect(said).not.toMatch(/^ +at /m);
    }
    // What these lines lead to.
    await chown(data, 0, GROUP);
    await chmod(data, 0o2775);
    expect(await runAsUser({ ECT_DATA_DIR: data })).toMatchObject({ code: 0 });
  });

  test('S11 files that root left in the volume are named, whichever they are', async () => {
    const data = join(folder, 'data');
    await mkdir(data);
    await chown(data, USER, GROUP);
    expect(await runAsUser({ ECT_DATA_DIR: data })).toMatchObject({ code: 0 });
    for (const name of ['signing-key.pem', 'ledger.key', 'ledger.db', 'once.db']) {
      const file = join(data, name);
      await chown(file, 0, GROUP);
      await chmod(file, 0o660);
      const { code, said } = await runAsUser({ ECT_DATA_DIR: data });
      expect(code, name).toBe(1);
      expect(said, name).toMatch(
        new RegExp(`${file.replaceAll('.', '\\.')}.*(?:owner:|belongs to) user 0\\b.*user 1000`),
      );
      await chown(file, USER, GROUP);
    }
    expect(await runAsUser({ ECT_DATA_DIR: data })).toMatchObject({ code: 0 });
  });

  test.each([
    [0o440, 0, true],
    [0o640, 0, true],
    [0o444, 0, false],
    [0o660, 0, false],
    [0o440, 2000, false],
  ] as const)('S4 S11 a key that is mounted as a secret, mode %o of user %i: %s', async (mode, owner, isTaken) => {
    const file = join(folder, 'key.pem');
    await writeFile(file, generateKeyPem());
    await chown(file, owner, GROUP);
    await chmod(file, mode);
    const { code, said } = await runAsUser({ ECT_LOCAL_KEY_FILE: file, ECT_STORE: 'memory' });
    expect(code).toBe(isTaken ? 0 : 1);
    if (!isTaken) expect(said).toContain(`The key file ${file} can be read by`);
    expect((await stat(file)).mode & 0o777).toBe(mode);
  });
});

interface Container {
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[];
  readonly ports: readonly { readonly containerPort: number }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
}

describe('the example manifest', async () => {
  const path = fileURLToPath(new URL('../../deploy/kubernetes/ect-authority.yaml', import.meta.url));
  const documents = parseAllDocuments(await readFile(path, 'utf8')).map((document) => document.toJS());
  const byKind = new Map(documents.map((document) => [document.kind as string, document]));
  const pod = byKind.get('StatefulSet').spec.template.spec;
  const container = pod.containers[0] as Container;
  const settings = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));

  test('S10 S11 has settings that the service takes, beside the links of its own Service', () => {
    expect(byKind.get('Service').metadata.name).toBe('ect-authority');
    const config = readConfig({ ...settings, ...LINKS });
    expect(config.tls?.clientCaFile).toBeDefined();
    expect(config.allowAnonymous).toBe(false);
    expect(container.ports[0]?.containerPort).toBe(config.listen.port);
    const mounted = (file: string) => container.volumeMounts.some(({ mountPath }) => file.startsWith(mountPath));
    for (const file of [config.dataDir, config.tls!.certFile, config.tls!.keyFile, config.tls!.clientCaFile!]) {
      expect(mounted(file), file).toBe(true);
    }
  });

  test('S11 gives the volume to the user of the image, writes nowhere else, and swaps its certificates in place', async () => {
    const dockerfile = await readFile(fileURLToPath(new URL('../../Dockerfile', import.meta.url)), 'utf8');
    const [, user, group] = /^USER (\d+):(\d+)$/m.exec(dockerfile) ?? [];
    expect(pod.securityContext).toMatchObject({ runAsUser: Number(user), fsGroup: Number(group), runAsNonRoot: true });
    expect(container.securityContext['readOnlyRootFilesystem']).toBe(true);
    // A subPath is never updated.
    for (const mount of container.volumeMounts) expect(mount.subPath).toBeUndefined();
    // The grace of the service is 10 s.
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(13);
    expect(byKind.get('StatefulSet').spec.replicas).toBe(1);
  });
});
