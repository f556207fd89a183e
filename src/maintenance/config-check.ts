// `ect config check`: checks everything that a start would check, reports all faults at once, and changes nothing. It creates no file,
// changes no permissions, keeps no port, and makes no network call unless requested.

import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { clientSettingWarnings } from '../config/client-settings.ts';
import { type Config, type ConfigFile, type Effective, type Env, examineConfig } from '../config/index.ts';
import type { KeysConfig } from '../config/keys.ts';
import { redisWarnings } from '../config/redis.ts';
import type { SignerConfig } from '../config/signer.ts';
import { policyFiles } from '../config-files/policy-files.ts';
import { postgresTarget } from '../config-files/postgres-target.ts';
import { redisTarget } from '../config-files/redis-target.ts';
import { tlsFiles } from '../config-files/tls-files.ts';
import { filesIn, isOwnSigningKey, readGivenLedgerKey, StartError } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { linkToNothing } from '../files/file-type.ts';
import { fileFault } from '../files/system-faults.ts';
import { unixSocketFault } from '../files/unix-socket.ts';
import { loadGroup } from '../reload/index.ts';
import { descriptorLimit, descriptorRoom } from '../runtime/descriptors.ts';
import { KmsKeyError } from '../signers/aws-kms/index.ts';
import { readOwnKeyFile } from '../signers/local/index.ts';
import { configuredTrust } from '../startup/foreign-trust.ts';
import { openKmsKey } from '../startup/kms-key.ts';
import { addressText, listenFault, tryToListen } from '../startup/listen-fault.ts';
import { signingKeyFile } from '../startup/signing-keys.ts';
import { problemsOf } from './config-problems.ts';
import { checkDataDir } from './data-dir-check.ts';

export interface ConfigReport {
  /** One or more sentences for each fault. Empty: a start would succeed, as far as this machine can tell. */
  readonly problems: readonly string[];
  /** What may be intended, or may have changed by the time of the start. */
  readonly warnings: readonly string[];
  /** What a start depends on and was not checked, each with the option that checks it, if there is one. */
  readonly notChecked: readonly string[];
  /** Every setting with its effective value, without secrets. Empty if there are problems. */
  readonly settings: readonly Effective[];
}

interface CheckedOptions {
  readonly callKms: boolean;
  readonly file?: ConfigFile | undefined;
  /** The path of `file`, if an option named it. */
  readonly configOption?: string | undefined;
}

/**
 * Checks the settings in `env` and `file`, and the files that they name. `callKms`: also requests the key and a signature from AWS KMS.
 */
export async function checkConfig(env: Env, { callKms, file, configOption }: CheckedOptions): Promise<ConfigReport> {
  const { config, problems, wrong, files, settings } = examineConfig(env, file, configOption);
  const checks = [
    checkDataDir(config),
    checkSigningKey(config, callKms),
    checkTls(config),
    config.postgres && postgresTarget(config.postgres, true),
    config.redis && redisTarget(config.redis, true),
    config.ledger.keyFile === undefined ? undefined : readGivenLedgerKey(config.ledger.keyFile, true),
    checkTrust(config),
    checkPolicy(config),
  ];
  let few: string | undefined;
  const countDescriptors = async () => {
    few = descriptorRoom(config, descriptorLimit()).warning;
  };
  const found = await Promise.all([...checks, countDescriptors()].map((check) => problemsOf(Promise.resolve(check))));
  const address: AddressFault = wrong.has('ECT_LISTEN') ? {} : await tryAddress(config);
  const agent = lookAtAgent(config);
  const ofFiles = found.flat();
  const all = [
    ...problems,
    ...ofFiles,
    ...unreadFiles(files, ofFiles),
    ...[address.problem, agent.problem].filter((line) => line !== undefined),
  ];
  const ofSettings = [...clientSettingWarnings(env, config), ...redisWarnings(config)];
  const warnings = [...ofSettings, few, address.warning, agent.warning].filter((line) => line !== undefined);
  // An invalid value may be a misplaced secret.
  return {
    problems: all,
    warnings,
    notChecked: notChecked(config, callKms),
    settings: all.length === 0 ? settings : [],
  };
}

/**
 * Returns a fault for each named file that cannot be read and was not checked: the checks above read what a start would read, and
 * settings that contradict each other make a start read less.
 */
function unreadFiles(files: ReadonlyMap<string, string>, reported: readonly string[]): readonly string[] {
  return [...files].flatMap(([name, path]) => {
    if (reported.some((problem) => problem.includes(name) || problem.includes(path))) return [];
    try {
      accessSync(path, constants.R_OK);
      return [];
    } catch (error) {
      return [`The file of ${name} cannot be read: ${fileFault(path, error)}.`];
    }
  });
}

/** Returns what a start depends on, and this check has not seen. */
function notChecked({ signer, postgres, redis, workloadApi }: Config, callKms: boolean): readonly string[] {
  const unchecked: readonly (readonly [isUnchecked: boolean, what: string])[] = [
    [process.geteuid?.() === 0, 'permissions of another user: this check ran as root, who may read and write any file'],
    [signer.kind === 'kms' && !callKms, 'the key in AWS KMS: --kms'],
    [postgres !== undefined, 'the connection to PostgreSQL'],
    [redis !== undefined, 'the connection to Redis'],
    [workloadApi !== undefined, 'the identity that the SPIFFE agent gives'],
  ];
  return unchecked.flatMap(([isUnchecked, what]) => (isUnchecked ? [what] : []));
}

/** Checks the key that signs tokens. A key of the service itself is read if it exists; none is created. */
async function checkSigningKey(config: Config, callKms: boolean): Promise<void> {
  const { signer, store, dataDir } = config;
  if (signer.kind === 'kms') {
    if (callKms && signer.key !== '' && signer.regions.length > 0) await askKms(signer, config.keys);
    return;
  }
  const keyFile = signingKeyFile(config, true);
  if (keyFile !== undefined) {
    (await loadGroup(keyFile)).value.signer.close();
    return;
  }
  if (store !== 'sqlite') return;
  const first = filesIn(dataDir).signingKey;
  if (existsSync(first) || linkToNothing(first) !== undefined) await readOwnKeyFile(first, true);
  // Only the ledger knows which of them signs, so each must be readable.
  const names = await readdir(dataDir).catch((): string[] => []);
  for (const name of names.filter(isOwnSigningKey)) await readOwnKeyFile(join(dataDir, name), true);
}

/**
 * Checks the key in AWS KMS. The caller wants to know whether tokens can be issued, so a key without which a start would continue is a
 * problem here.
 */
async function askKms(signer: SignerConfig & { kind: 'kms' }, keys: KeysConfig): Promise<void> {
  try {
    (await openKmsKey(signer, keys)).close();
  } catch (error) {
    if (error instanceof EctError) throw new StartError(`AWS KMS: ${error.message}`, { cause: error });
    if (error instanceof KmsKeyError && error.atStart !== 'fail') throw new StartError(`${error.message} ${GOES_ON}`);
    throw error;
  }
}

const GOES_ON =
  'A service that has used this key before starts without it, and serves everything but Issue until the key can be used again.';

async function checkTrust(config: Config): Promise<void> {
  const group = configuredTrust(config);
  if (group !== undefined) await loadGroup(group);
}

async function checkPolicy({ policy }: Config): Promise<void> {
  const files = policyFiles(policy);
  if (files !== undefined) await loadGroup(files);
}

async function checkTls({ tls }: Config): Promise<void> {
  // That one is missing was reported with the settings.
  if (tls === undefined || tls.certFile === '' || tls.keyFile === '') return;
  try {
    await loadGroup(tlsFiles(tls));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // One line for each fault.
    throw new AggregateError(error.message.split('\n').map((line) => new StartError(line)));
  }
}

/** Checks the address of the agent. The agent is not called: it may start later, and it would identify this command as a workload. */
function lookAtAgent({ workloadApi }: Config): AddressFault {
  if (workloadApi?.endpoint.kind !== 'unix') return {};
  const { path } = workloadApi.endpoint;
  const wait = 'A start waits 15 s for the agent.';
  try {
    const found = statSync(path);
    if (!found.isSocket()) return { problem: `ECT_WORKLOAD_API is not the path of a socket: ${path}.` };
    accessSync(path, constants.W_OK);
    return {};
  } catch (error) {
    return { warning: `ECT_WORKLOAD_API: ${fileFault(path, error, 'written')}. ${wait}` };
  }
}

interface AddressFault {
  readonly problem?: string;
  readonly warning?: string;
}

/** Listens on the address as a start would, and stops at once. The service itself may be running there. */
async function tryAddress({ listen, unix }: Config): Promise<AddressFault> {
  if (unix !== undefined) {
    const fault = await unixSocketFault(unix.path);
    return fault === undefined ? {} : { [fault.isInUse ? 'warning' : 'problem']: fault.why };
  }
  const { host, port } = listen;
  const error = await tryToListen(host, port);
  if (error === undefined) return {};
  if ('code' in error && error.code === 'EADDRINUSE') return { warning: inUse(addressText(host, port)) };
  return { problem: listenFault(host, port, error) ?? error.message };
}

function inUse(address: string): string {
  return (
    `Another process uses ${address} now. If it is not the service that this configuration is for, ` +
    'stop it, or set ECT_LISTEN to another port.'
  );
}
