// A real SPIRE: server and agents, nodes by join token, workloads by uid. The service takes its identity from the agent, each of its workers by
// itself, and a workload with an identity from the same agent calls it, by certificate and by JWT.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { runProgram } from './run-program.ts';

const BIN = fileURLToPath(new URL('../../.spire/', import.meta.url));
const isBuilt = ['spire-server', 'spire-agent'].every((name) => existsSync(join(BIN, name)));
if (!isBuilt) console.warn('SKIPPED: "a real SPIRE" needs .spire/, which `npm run build:spire` makes');

const ECT = 'spiffe://example.org/ect';
const AGENT = 'spiffe://example.org/agent';
const NODE = 'spiffe://example.org/node';
const AUDIENCE = 'spiffe://example.org/ect';

describe.runIf(isBuilt)('a real SPIRE', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ect-spire-'));
  const at = (name: string) => join(folder, name);
  const children: ChildProcess[] = [];
  let service: ServiceProcess;
  let agent: ChildProcess;
  let port: number;

  async function run(program: 'spire-server' | 'spire-agent', args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runProgram(join(BIN, program), args);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  function startProgram(program: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(join(BIN, program), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    children.push(child);
    return child;
  }
  let said = '';

  const healthy = (program: 'spire-server' | 'spire-agent', socket: string) =>
    vi.waitFor(() => run(program, ['healthcheck', '-socketPath', socket]), { timeout: 60_000, interval: 200 });

  /** An agent of the node, with data of its own, at the one socket. */
  async function startAgent(name: string, serverPort: number): Promise<ChildProcess> {
    const order = ['token', 'generate', '-socketPath', at('server.sock'), '-spiffeID', NODE];
    const token = /Token: (\S+)/.exec(await run('spire-server', order))?.[1] ?? '';
    writeFileSync(at(`${name}.conf`), agentConfig(folder, name, serverPort));
    const child = startProgram('spire-agent', 'run', '-config', at(`${name}.conf`), '-joinToken', token);
    await healthy('spire-agent', at('agent.sock'));
    return child;
  }

  const enter = (spiffeId: string, ...more: readonly string[]) =>
    run(
      'spire-server',
      ['entry', 'create', '-socketPath', at('server.sock'), '-parentID', NODE, '-spiffeID', spiffeId].concat([
        '-selector',
        `unix:uid:${process.getuid?.()}`,
        ...more,
      ]),
    );

  beforeAll(async () => {
    port = await freePort();
    writeFileSync(at('server.conf'), serverConfig(folder, port));
    startProgram('spire-server', 'run', '-config', at('server.conf'));
    await healthy('spire-server', at('server.sock'));
    agent = await startAgent('first', port);
    await enter(ECT, '-x509SVIDTTL', '30', '-hint', 'ect');
    await enter(AGENT);
    const issuers = [
      { iss: 'spiffe://example.org', workload_api: true, use: ['callers'], callers: { audience: AUDIENCE } },
    ];
    writeFileSync(at('trust.json'), JSON.stringify({ issuers }));
    service = await startService({
      ECT_WORKLOAD_API: `unix://${at('agent.sock')}`,
      ECT_WORKLOAD_API_SVID: ECT,
      ECT_TRUST_FILE: at('trust.json'),
      ECT_CALLER_JWTS: 'yes',
      ECT_WORKERS: '2',
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${said.slice(-4000)}`);
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** The files of the workload's X.509-SVID, as SPIRE's own client writes them. */
  async function svidFiles(): Promise<{ cert: string; key: string; ca: string }> {
    await run('spire-agent', ['api', 'fetch', 'x509', '-socketPath', at('agent.sock'), '-write', folder, '-silent']);
    const { X509Certificate } = await import('node:crypto');
    const index = [0, 1].find((number) =>
      new X509Certificate(readFileSync(at(`svid.${number}.pem`))).subjectAltName?.includes(AGENT),
    );
    return { cert: at(`svid.${index}.pem`), key: at(`svid.${index}.key`), ca: at(`bundle.${index}.pem`) };
  }

  const issue = (...args: readonly string[]) =>
    runMain([
      'issue',
      '--exec-act',
      'review_spec',
      '--aud',
      'urn:example:reviewer',
      '--json',
      '--url',
      service.url,
      ...args,
    ]);

  test('A1 a workload issues under its own SPIFFE ID, to a service that it knows by its SPIFFE ID', async () => {
    const { cert, key, ca } = await svidFiles();
    const { code, stdout, stderr } = await issue('--ca', ca, '--cert', cert, '--cert-key', key, '--server-id', ECT);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(issuerIn(stdout)).toBe(AGENT);
    const other = await issue('--ca', ca, '--cert', cert, '--cert-key', key, '--server-id', AGENT);
    expect(other.code).not.toBe(0);
  });

  test('A1 its JWT-SVID proves it by the keys that the agent names', async () => {
    const { ca } = await svidFiles();
    const printed = await run('spire-agent', [
      'api',
      'fetch',
      'jwt',
      '-socketPath',
      at('agent.sock'),
      '-audience',
      AUDIENCE,
      '-spiffeID',
      AGENT,
    ]);
    writeFileSync(at('jwt'), /ey[\w-]+\.[\w-]+\.[\w-]+/.exec(printed)?.[0] ?? '');
    const { code, stdout, stderr } = await issue('--ca', ca, '--server-id', ECT, '--token-file', at('jwt'));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(issuerIn(stdout)).toBe(AGENT);
  });

  /** How many identities each worker has had. */
  const counts = () =>
    [1, 2].map((number) => service.events('svid-in-force').filter(({ worker }) => worker === number).length);
  async function untilRenewed(): Promise<void> {
    const before = counts();
    await vi.waitFor(() => expect(counts().every((count, at) => count > before[at]!)).toBe(true), {
      ...SOON,
      timeout: 90_000,
    });
  }

  test('A7 the SVID of the service is renewed while it serves, at each worker', async () => {
    await untilRenewed();
    const { cert, key, ca } = await svidFiles();
    const { code } = await issue('--ca', ca, '--cert', cert, '--cert-key', key, '--server-id', ECT);
    expect(code).toBe(0);
    expect(service.events('svid-lost')).toEqual([]);
  }, 120_000);

  test('A7 an agent that hangs is left for the next one at its socket', async () => {
    agent.kill('SIGSTOP');
    await startAgent('second', port);
    await untilRenewed();
    const { cert, key, ca } = await svidFiles();
    const { code } = await issue('--ca', ca, '--cert', cert, '--cert-key', key, '--server-id', ECT);
    expect(code).toBe(0);
  }, 240_000);
});

function issuerIn(printed: string): unknown {
  const token = /ey[\w-]+\.([\w-]+)\.[\w-]+/.exec(printed)?.[1] ?? '';
  return (JSON.parse(Buffer.from(token, 'base64url').toString()) as { iss: unknown }).iss;
}

function serverConfig(folder: string, port: number): string {
  return `server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${folder}/server.sock"
  trust_domain = "example.org"
  data_dir = "${folder}/server"
  log_level = "WARN"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/server.sqlite3" } }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`;
}

function agentConfig(folder: string, name: string, port: number): string {
  return `agent {
  data_dir = "${folder}/${name}"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "${port}"
  socket_path = "${folder}/agent.sock"
  trust_domain = "example.org"
  insecure_bootstrap = true
}
plugins {
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
}
