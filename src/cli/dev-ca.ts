// `ect dev-ca`: creates a CA and the certificates of the service and of workloads, for mutual TLS during development.

import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { createDevCa, type DevCertificate } from '../callers/dev-certificates.ts';
import { isLoopback, readAddress } from '../config/types.ts';
import { makeDirectory } from '../files/atomic-files.ts';
import { fileFault } from '../files/system-faults.ts';
import { isTrustDomain, isWorkloadId } from '../token/index.ts';
import { Rejected } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { rejectExisting, writeNewFile } from './new-file.ts';
import { type Io, type OutputOptions, print, printJson, remark, withJson } from './output.ts';

interface DevCaOptions extends OutputOptions {
  readonly trustDomain: string;
  readonly listen: string;
  readonly workload?: readonly string[];
  readonly out?: string;
}

const DEFAULT_LISTEN = '127.0.0.1:8080';
const OTHER_OUT = 'Name another file with --out.';
const DAYS = 30;
const DAY_MS = 86_400_000;
/** Certificates are valid from this long ago, because clocks of other machines may be behind. */
const SKEW_MS = 300_000;
const WORKLOADS = ['agent-a', 'agent-b'];
/** The names of the files of the CA and the service. */
const TAKEN = ['ca', 'server'];
const LOOPBACK = [Buffer.of(127, 0, 0, 1), Buffer.concat([Buffer.alloc(15), Buffer.of(1)])];

export function devCaCommand(io: Io): Command {
  const command = new Command('dev-ca')
    .description('make a CA, a certificate of the service and certificates of workloads, for development')
    .argument('<directory>', 'where the files are made; existing ones are never touched')
    .option('--trust-domain <name>', 'of the SPIFFE IDs', trustDomain, 'dev.example')
    .option('--workload <name...>', `names of workloads (default ${WORKLOADS.join(' and ')})`, workload)
    .addOption(
      new Option('--listen <host:port>', 'where the service will listen, for the address in ECT_URL')
        .env('ECT_LISTEN')
        .default(DEFAULT_LISTEN)
        .argParser(listenAddress),
    )
    .option('--out <file>', 'write the settings there instead of printing them, once all files are made');
  withHelp(withJson(command, ['directory', 'server', 'workloads', 'notAfter']), {
    examples: [
      'ect dev-ca certs --out mesh.sh && . ./mesh.sh',
      'ect dev-ca certs',
      'ect dev-ca certs --trust-domain example.org --workload planner --workload trader',
    ],
    rejected: 'a file exists already, or cannot be written',
  });
  return command.action((directory: string, options: DevCaOptions) =>
    attempt(io, options, () => makeAll(io, directory, options)),
  );
}

async function makeAll(io: Io, directory: string, options: DevCaOptions): Promise<void> {
  const now = Date.now();
  const to = new Date(now + DAYS * DAY_MS);
  const id = (name: string) => `spiffe://${options.trustDomain}/${name}`;
  const ca = createDevCa(`${options.trustDomain} development CA`, new Date(now - SKEW_MS), to);
  const workloads = options.workload ?? WORKLOADS;
  const places = LOOPBACK.map((ip) => ({ ip }));
  if (options.out !== undefined) rejectExisting(options.out, OTHER_OUT);
  await makeCertificateDirectory(directory);
  await write(directory, 'ca', ca);
  await write(directory, 'server', ca.issue('ect', [{ uri: id('ect') }, { dns: 'localhost' }, ...places]));
  for (const name of workloads) await write(directory, name, ca.issue(name, [{ uri: id(name) }]));
  const [first = ''] = workloads;
  const settings = settingsFor(directory, first, options.listen, id('ect'));
  if (options.out !== undefined) {
    await writeNewFile(options.out, settings.map((line) => `${line}\n`).join(''), OTHER_OUT);
    remark(io, `settings: ${options.out}`);
  }
  if (options.json) {
    printJson(io, { directory, server: id('ect'), workloads: workloads.map(id), notAfter: to.toISOString() });
    return;
  }
  remark(io, `for development only; the certificates end at ${to.toISOString()}`);
  if (options.out === undefined) for (const line of settings) print(io, line);
}

/** Returns the settings of the service, and those with which `ect` calls it as a workload, as lines for a shell. */
function settingsFor(directory: string, workloadName: string, listen: string, serverId: string): readonly string[] {
  const file = (name: string) => join(directory, name);
  return [
    ...(listen === DEFAULT_LISTEN ? [] : [`export ECT_LISTEN=${listen}`]),
    `export ECT_TLS_CERT=${file('server.pem')} ECT_TLS_KEY=${file('server.key')} ECT_TLS_CLIENT_CA=${file('ca.pem')}`,
    `export ECT_URL=https://${hostFor(listen)} ECT_CA=${file('ca.pem')} ECT_SERVER_ID=${serverId}`,
    `export ECT_CERT=${file(`${workloadName}.pem`)} ECT_KEY=${file(`${workloadName}.key`)}`,
  ];
}

/** Returns the address for clients of this machine. A service that listens on every address has no address of its own. */
function hostFor(listen: string): string {
  const { host = '', port = 0 } = readAddress(listen, { least: 1 }) ?? {};
  const isEverywhere = host === '0.0.0.0' || host === '::';
  return isEverywhere || isLoopback(host) ? `localhost:${port}` : listen;
}

function listenAddress(text: string): string {
  if (readAddress(text, { least: 1 }) !== undefined) return text;
  throw new InvalidArgumentError('It is host:port like 127.0.0.1:8443, with a port that clients can know.');
}

/** Other users may read the certificates; the mode of each key protects it. */
async function makeCertificateDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path, 0o777);
  } catch (cause) {
    const message = fileFault(path, cause, 'written');
    throw new Rejected({ reason: 'file_unwritable', message, remedy: 'Name another directory.', metadata: {} });
  }
}

async function write(directory: string, name: string, { cert, key }: DevCertificate): Promise<void> {
  const remedy = 'Name a new directory.';
  await writeNewFile(join(directory, `${name}.pem`), cert, remedy, 0o644);
  await writeNewFile(join(directory, `${name}.key`), key, remedy);
}

function trustDomain(text: string): string {
  if (!isTrustDomain(text)) throw new InvalidArgumentError('It is a trust domain like example.org, in lower case.');
  return text;
}

function workload(text: string, before: readonly string[] | undefined): readonly string[] {
  const names = before ?? [];
  if (!/^[^/]+$/.test(text) || !isWorkloadId(`spiffe://a/${text}`) || TAKEN.includes(text) || names.includes(text)) {
    throw new InvalidArgumentError(`It is one segment of a SPIFFE ID, given once, and not ${TAKEN.join(' or ')}.`);
  }
  return [...names, text];
}
