// `ect config check`: everything that a start would check, all mistakes at once, and nothing changed by it. No file is
// made, no rights are taken away, no port is taken, and nobody is called unless that is asked for.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type Config, examineConfig, type Setting } from './config.ts';
import { type DataDir, dataDirFault, filesIn, readLedgerKey, StartError } from './data-dir.ts';
import { EctError } from './errors.ts';
import { createEvents } from './events.ts';
import { linkToNothing } from './file-type.ts';
import { listenFault } from './listen-fault.ts';
import { loadGroup } from './reload/index.ts';
import { KmsKeyError } from './signers/aws-kms/index.ts';
import { KeyFileError, readOwnKeyFile } from './signers/local/index.ts';
import { openConfiguredKey, signingKeyFile } from './signing-keys.ts';
import { ledgerKindFault, onceKindFault, SqliteLedgerStore } from './stores/sqlite/index.ts';
import { writeFault } from './system-faults.ts';
import { tlsFiles } from './tls-files.ts';
import { trustFile } from './trust-file.ts';

export interface ConfigReport {
  /** One sentence or more for each mistake. Empty: a start would succeed, as far as this machine can tell. */
  readonly problems: readonly string[];
  /** Every setting with the value that counts; secrets are only said to be set. Empty where there are problems. */
  readonly settings: readonly Setting[];
}

/** Checks the settings in `env` and the files that they name. `callKms`: asks AWS KMS for the key and for a signature too. */
export async function checkConfig(
  env: Readonly<Record<string, string | undefined>>,
  { callKms }: { readonly callKms: boolean },
): Promise<ConfigReport> {
  const { config, problems, settings } = examineConfig(env);
  const checks = [
    checkDataDir(config),
    checkSigningKey(config, callKms),
    checkTls(config),
    config.trustFile === undefined ? undefined : loadGroup(trustFile(config.trustFile)),
    checkAddress(config),
  ];
  const found = await Promise.all(checks.map((check) => problemsOf(Promise.resolve(check))));
  const all = [...problems, ...found.flat()];
  // A value that breaks its rule may be a secret in the wrong place.
  return { problems: all, settings: all.length === 0 ? settings : [] };
}

async function problemsOf(check: Promise<unknown>): Promise<readonly string[]> {
  try {
    await check;
    return [];
  } catch (error) {
    if (error instanceof AggregateError) return error.errors.map(messageOf);
    return [messageOf(error)];
  }
}

function messageOf(error: unknown): string {
  const isOurs = [StartError, KeyFileError, KmsKeyError, EctError].some((kind) => error instanceof kind);
  if (isOurs && error instanceof Error) return error.message;
  throw error;
}

/** The directory, the key of the ledger and the two databases, as far as they are there. */
async function checkDataDir({ store, dataDir }: Config): Promise<void> {
  if (store === 'memory') return;
  const fault = directoryFault(resolve(dataDir));
  if (fault !== undefined) throw new StartError(`ECT_DATA_DIR: ${fault}`);
  if (!existsSync(dataDir)) return;
  const dir = filesIn(dataDir);
  const found = await Promise.all([checkLedger(dir), checkOnce(dir)].map(problemsOf));
  const problems = found.flat().map((problem) => new StartError(problem));
  if (problems.length > 0) throw new AggregateError(problems);
}

/** What keeps this process from using the directory, or from making it where it is not there. A full sentence. */
function directoryFault(path: string): string | undefined {
  return dataDirFault(path) ?? (existsSync(path) ? undefined : makingFault(path, dirname(path)));
}

/** What keeps this process from making `path` in the first directory above it that is there. */
function makingFault(path: string, above: string): string | undefined {
  if (!existsSync(above)) return makingFault(path, dirname(above));
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return writeFault(path, error);
  }
}

async function checkLedger(dir: DataDir): Promise<void> {
  const key = await readLedgerKey(dir);
  if (!existsSync(dir.ledger)) return;
  refuseKind(dir.ledger, ledgerKindFault);
  if (statSync(dir.ledger).size === 0) return;
  const store = SqliteLedgerStore.openReadOnly(dir.ledger);
  try {
    const identity = await store.identity();
    if (key === undefined || identity === undefined || identity === key.verifierKey) return;
    throw new StartError(`${dir.ledger} belongs to another key than ${dir.ledgerKey}: restore both from one backup.`);
  } finally {
    await store.close();
  }
}

async function checkOnce({ once }: DataDir): Promise<void> {
  if (existsSync(once)) refuseKind(once, onceKindFault);
}

/** That they can be used was checked with the directory. */
function refuseKind(path: string, kindFault: (path: string) => string | undefined): void {
  const fault = kindFault(path);
  if (fault !== undefined) throw new StartError(`${fault}.`);
}

/** The key that signs tokens. One that the service makes is read where it is there; none is made. */
async function checkSigningKey(config: Config, callKms: boolean): Promise<void> {
  const { signer, store, dataDir } = config;
  if (signer.kind === 'kms') {
    if (callKms && signer.key !== '' && signer.regions.length > 0) await askKms(config);
    return;
  }
  const keyFile = signingKeyFile(config, true);
  if (keyFile !== undefined) {
    (await loadGroup(keyFile)).value.signer.close();
    return;
  }
  const own = filesIn(dataDir).signingKey;
  if (store === 'sqlite' && (existsSync(own) || linkToNothing(own) !== undefined)) await readOwnKeyFile(own, true);
}

async function askKms(config: Config): Promise<void> {
  const events = createEvents({ level: 'silent' });
  try {
    (await openConfiguredKey(config, undefined, events)).signer.close();
  } catch (error) {
    if (error instanceof EctError) throw new StartError(`AWS KMS: ${error.message}`, { cause: error });
    throw error;
  } finally {
    events.close();
  }
}

async function checkTls({ tls }: Config): Promise<void> {
  if (tls === undefined) return;
  try {
    await loadGroup(tlsFiles(tls));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // A line a mistake.
    throw new AggregateError(error.message.split('\n').map((line) => new StartError(line)));
  }
}

/** Whether the address is one of this machine. The port is not taken: a service may be running there. */
function checkAddress({ listen: { host, port } }: Config): Promise<void> {
  return new Promise((settle, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(new StartError(listenFault(host, port, error) ?? error.message)));
    server.listen(0, host, () => server.close(() => settle()));
  });
}
