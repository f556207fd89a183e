// The clients of docs/clients.md as a reader runs them: the commands of a section, word for word, in a copy of what a checkout has.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { type Outcome, runProgram } from '../../interop/run-program.ts';
import { createCertificateAuthority, issueServerCertificate, issueSvid } from '../../support/certificates.ts';
import { startService } from '../../support/service-process.ts';

const root = join(import.meta.dirname, '../../..');
/** What the commands of the page leave behind below `examples/clients`. */
const BUILT = /\/(?:gen|types|target|ect)$/;
/** The line of each program with the address of the service. */
const DOCUMENTED = '127.0.0.1:8080';
const WORKLOAD = 'spiffe://example.org/client';

/** What every program writes. */
export const EXPECTED = new RegExp(
  [
    '^issued [0-9a-f-]{36}',
    'valid',
    String.raw`recorded at \d+`,
    'graph (?:DAG_STATUS_)?COMPLETE',
    'refused ISSUER_NOT_ALLOWED urn:example:another\n$',
  ].join('\n'),
);

/** The commands of the section with this heading; a line that ends in a backslash goes on. */
export function commandsOf(heading: string): readonly string[] {
  const page = readFileSync(join(root, 'docs/clients.md'), 'utf8');
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const block = /^```sh\n(.*?)^```$/ms.exec(section)?.[1];
  if (block === undefined) throw new TypeError(`docs/clients.md has no commands under ${heading}`);
  return block.replaceAll(/\\\n/g, '').trimEnd().split('\n');
}

export interface Clients extends AsyncDisposable {
  /** Runs commands in one shell, from the root of the checkout, against a service that knows nobody. */
  overCleartext(commands: readonly string[]): Promise<Outcome>;
  /** The same against a service that asks for certificates, as a workload that has one. */
  overMutualTls(commands: readonly string[]): Promise<Outcome>;
}

/** `path`: folders in which programs are looked for before all others. */
export async function openClients(path: readonly string[] = []): Promise<Clients> {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'ect-clients-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const checkout = join(folder, 'checkout');
  copyCheckout(checkout);
  const { server, client } = writeCertificates(folder);
  const [known, anonymous] = [undo.use(await startService(server)), undo.use(await startService())];

  function run(commands: readonly string[], address: string, settings: Readonly<Record<string, string>>) {
    const script = ['set -e; unset ECT_CA ECT_CERT ECT_KEY', ...assignments(settings), ...commands].join('\n');
    const bins = [...path, dirname(process.execPath), process.env['PATH']].join(delimiter);
    const env = { PATH: bins, PYTHONDONTWRITEBYTECODE: '1', npm_config_offline: 'true', MAVEN_OPTS: SHORT_LIVED };
    return runProgram('bash', ['-c', script.replaceAll(DOCUMENTED, address)], { cwd: checkout, env, limitMs: RUN_MS });
  }

  const opened = undo.move();
  return {
    overCleartext: (commands) => run(commands, anonymous.address, {}),
    // By name: an address is nothing for SNI.
    overMutualTls: (commands) => {
      const secured = commands.map((line) => line.replace('http://', 'https://'));
      return run(secured, `localhost:${new URL(known.url).port}`, client);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Half the CPU for a virtual machine that ends after some seconds. */
const SHORT_LIVED = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

/** The first run of Go and Maven fetches and compiles what they need. */
export const RUN_MS = 600_000;

function copyCheckout(to: string): void {
  for (const part of ['buf.yaml', 'package.json', 'proto', 'examples/clients']) {
    mkdirSync(dirname(join(to, part)), { recursive: true });
    const isSource = (file: string) => part === 'proto' || !BUILT.test(file);
    cpSync(join(root, part), join(to, part), { recursive: true, filter: isSource });
  }
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
}

function writeCertificates(folder: string): Record<'server' | 'client', Record<string, string>> {
  using ca = createCertificateAuthority();
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const [server, own] = [issueServerCertificate(ca), issueSvid(ca, WORKLOAD)];
  const trust = file('ca.pem', ca.cert);
  return {
    server: {
      ECT_TLS_CERT: file('server.pem', server.cert),
      ECT_TLS_KEY: file('server.key', server.key),
      ECT_TLS_CLIENT_CA: trust,
    },
    client: { ECT_CA: trust, ECT_CERT: file('own.pem', own.cert), ECT_KEY: file('own.key', own.key) },
  };
}

function assignments(settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings).map(([name, value]) => `export ${name}='${value}'`);
}
