// The processes of examples/compose, started by hand: its secrets, its settings, a real PostgreSQL with TLS, three replicas, and Envoy where it
// is installed. What only Docker does (networks, volumes, images) is not tried here.

import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Issued, Receipt, Verdict } from '../interop/answers.ts';
import { CallError, dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { addressOf, describeWithEnvoy, freePort, startEnvoy } from '../support/envoy.ts';
import { describeWithPostgres, PASSWORD, type PostgresServer, startPostgres } from '../support/postgres.ts';
import { MAIN, runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { COMPOSE_FOLDER, compose, envoy } from './compose-file.ts';

const run = promisify(execFile);
const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';

describeWithPostgres('the processes of examples/compose', () => {
  let folder: string;
  let server: PostgresServer;
  let databasePort: number;
  const services: ServiceProcess[] = [];
  const secret = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ect-compose-'));
    const env = { PATH: process.env['PATH'], HOME: folder, ECT: `${process.execPath} ${MAIN}` };
    await run(join(COMPOSE_FOLDER, 'make-secrets.sh'), [folder], { env });
    server = await startPostgres({ hasTables: false });
    await server.sql(
      `CREATE ROLE ect_owner SUPERUSER LOGIN PASSWORD '${readFileSync(secret('owner-password'), 'utf8').trim()}'`,
    );
    await server.sql('CREATE DATABASE ect OWNER ect_owner');
    const login = {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGPASSWORD: readFileSync(secret('owner-password'), 'utf8').trim(),
    };
    const place = { POSTGRES_USER: 'ect_owner', POSTGRES_DB: 'ect', SECRETS: folder };
    await run('sh', [join(COMPOSE_FOLDER, 'create-role.sh')], {
      env: { PATH: process.env['PATH'], ...login, ...place },
    });
    await server.crash();
    databasePort = await freePort();
    const tls = ['crt', 'key'].map((kind) => ownedByServer(`postgres.${kind}`));
    await server.restart([
      'listen_addresses=127.0.0.1',
      `port=${databasePort}`,
      'ssl=on',
      `ssl_cert_file=${tls[0]}`,
      `ssl_key_file=${tls[1]}`,
    ]);
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A copy that the user of the server may read, and nobody else. */
  function ownedByServer(name: string): string {
    const path = join(server.data, name);
    writeFileSync(path, readFileSync(secret(name)), { mode: 0o600 });
    const { uid, gid } = statSync(server.data);
    chownSync(path, uid, gid);
    return path;
  }

  /** The environment of a service of the file, with paths and addresses of this machine in the place of those of its containers. */
  function settingsOf(name: string): Record<string, string> {
    const settings = Object.entries(compose.services[name]?.environment ?? {}).map(([key, value]) => {
      const here = value
        .replace(/^\/secrets\//, `${folder}/`)
        .replace(/@postgres:5432\/ect$/, `@localhost:${databasePort}/ect?sslmode=verify-full`);
      return [key, key === 'ECT_LISTEN' ? '127.0.0.1:0' : here];
    });
    return Object.fromEntries(settings) as Record<string, string>;
  }

  const tlsOf = (name: string) =>
    credentials.createSsl(
      readFileSync(secret('ca.crt')),
      readFileSync(secret(`${name}.key`)),
      readFileSync(secret(`${name}.crt`)),
    );
  const dialTo = (address: string) => dial(address.replace('127.0.0.1', 'localhost'), tlsOf('agent'));

  async function record(client: GrpcClient): Promise<Issued & { readonly receipt: Receipt }> {
    return client.call(`${AUTHORITY}/Issue`, { exec_act: 'review_spec', aud: [AUDIENCE], level: 'LEVEL_L3' });
  }

  test('S10 S11 three replicas start with its settings, know their callers, and keep one ledger', async () => {
    const [, , command = ''] = compose.services['database-init']?.entrypoint ?? [];
    const [, role = ''] = /db init --role (\S+) \|\|/.exec(command) ?? [];
    const made = await runMain(['db', 'init', '--role', role], settingsOf('database-init'));
    expect(made.stderr + made.stdout).toContain('the tables are now of version');
    // A second start finds them.
    expect((await runMain(['db', 'migrate', '--role', role], settingsOf('database-init'))).code).toBe(0);
    const { replicas = 0 } = compose.services['authority']?.deploy ?? {};
    for (let replica = 0; replica < replicas; replica++) services.push(await startService(settingsOf('authority')));
    const indexes = new Set<string>();
    for (const { address } of services) {
      using client = dialTo(address);
      const { claims, receipt } = await record(client);
      expect(claims.iss).toBe('spiffe://example.org/agent');
      indexes.add(receipt.inclusion.leaf_index);
    }
    expect(indexes.size).toBe(3);
    for (const { stderr } of services) {
      for (const name of ['owner-password', 'service-password'])
        expect(stderr()).not.toContain(readFileSync(secret(name), 'utf8').trim());
      expect(stderr()).not.toContain(PASSWORD);
    }
  });

  describeWithEnvoy('behind Envoy', () => {
    let proxy: AsyncDisposable | undefined;
    afterAll(() => proxy?.[Symbol.asyncDispose]());

    test('S11 the proxy passes connections on, the replica sees the caller, and a replica that ends is left out', async () => {
      const port = await freePort();
      proxy = startEnvoy(folder, proxyAt(port));
      const address = `127.0.0.1:${port}`;
      const seen = async () => {
        using client = dialTo(address);
        try {
          return (await record(client)).claims.iss;
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          return error.code;
        }
      };
      await expect.poll(seen, SOON).toBe('spiffe://example.org/agent');
      const [first] = services;
      await first!.stop();
      // Health checks need a second to find out. The proxy picks replicas at random: so many calls do not miss the one that has ended.
      const calls = 32;
      await expect
        .poll(async () => (await Promise.all(Array.from({ length: calls }, seen))).join(' '), SOON)
        .toBe(Array(calls).fill('spiffe://example.org/agent').join(' '));
      using client = dialTo(address);
      const { token } = await record(client);
      expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE })).toMatchObject({
        valid: true,
      });
    });

    function proxyAt(port: number): object {
      const { listeners, clusters } = envoy.static_resources;
      const replicas = services.map(({ address }) => ({
        endpoint: { address: addressOf(Number(address.split(':')[1])) },
      }));
      const assignment = { ...clusters[0]!.load_assignment, endpoints: [{ lb_endpoints: replicas }] };
      const changed = {
        static_resources: {
          listeners: [{ ...listeners[0], address: addressOf(port) }],
          clusters: [{ ...clusters[0], load_assignment: assignment }],
        },
      };
      return JSON.parse(JSON.stringify(changed).replace('/etc/envoy/ca.crt', secret('ca.crt'))) as object;
    }
  });
});
