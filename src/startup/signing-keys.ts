// Where root keys come from: which signer a locator of the ledger opens, and how the service makes keys of its own.

import { createPrivateKey } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Config } from '../config/index.ts';
import { isKeyName, type SignerConfig } from '../config/signer.ts';
import { type DataDir, isOwnSigningKey } from '../data-directory/data-dir.ts';
import { EctError, reject } from '../errors.ts';
import { fileTypeFault, NOT_A_FILE } from '../files/file-type.ts';
import {
  type AwaitedRoot,
  KEY_SCOPE,
  KeyManager,
  type KeyManagerPolicy,
  type KeyManagerPorts,
  keyEntryName,
  type RootKey,
  USE_NEXT,
} from '../key-manager/index.ts';
import type { OpenSigner } from '../keys/index.ts';
import type { Ledger } from '../ledger/index.ts';
import type { Content, FileGroup } from '../reload/index.ts';
import { AwsKmsSigner, holdToPin } from '../signers/aws-kms/index.ts';
import {
  generateKeyPem,
  KeyFileError,
  LocalSigner,
  readKeyFile,
  readOrCreateKeyFile,
  readOwnKeyFile,
  readPassphrase,
} from '../signers/local/index.ts';
import type { Events } from '../telemetry/events.ts';
import { isWithin, isWorkloadId } from '../token/index.ts';
import { demandLater, forCallers, openKmsKey, openOrAwait } from './kms-key.ts';

/**
 * The key that the configuration names elsewhere than in a file; the service's own first key where it names none. `mayWait`: a start
 * may go on without a key in AWS KMS.
 */
export async function openConfiguredKey(
  { signer, keys }: Config,
  dir: DataDir | undefined,
  events: Events,
  mayWait: boolean,
): Promise<RootKey | AwaitedRoot> {
  if (signer.kind !== 'kms') return makeOwnKey(dir, 0);
  const locator = `kms:${signer.key}`;
  const open = () => openKmsKey(signer, keys, events.signerRegionChanged);
  return mayWait ? openOrAwait(locator, open) : { locator, signer: await open() };
}

/**
 * The key file of the configuration, with the file of its passphrase; undefined where it names none. `isDryRun`: the rights of
 * both stay as they are.
 */
export function signingKeyFile({ signer }: Config, isDryRun = false): FileGroup<RootKey> | undefined {
  if (signer.kind !== 'local' || signer.keyFile === undefined) return undefined;
  const { keyFile, passphrase } = signer;
  const paths = [keyFile, ...(passphrase !== undefined && 'file' in passphrase ? [passphrase.file] : [])];
  return {
    name: 'signing-key',
    paths,
    opensFiles: true,
    parse: async (contents) => {
      rejectOtherTypes(paths, contents);
      return { signer: await openKeyFile(signer, keyFile, isDryRun), locator: `file:${keyFile}` };
    },
  };
}

/** A FIFO that came into the place of a file would be waited for. At the start, where one may be read, there are no contents. */
function rejectOtherTypes(paths: readonly string[], contents: readonly Content[]): void {
  const faults = paths.map((path, at) => (isOtherType(contents[at]) ? fileTypeFault(path) : undefined));
  const fault = faults.find((found) => found !== undefined);
  if (fault !== undefined) throw new KeyFileError(`The key file cannot be read: ${fault}.`);
}

function isOtherType(content: Content | undefined): boolean {
  return content !== undefined && 'code' in content && content.code === NOT_A_FILE;
}

/** Another key in the configured file is the next root key: announced now, active when no cached key set can lack it. */
export async function adoptKey(keyManager: KeyManager, key: RootKey): Promise<void> {
  const { kid } = key.signer.jwk;
  const state = keyManager.all.find((known) => known.kid === kid)?.state;
  if (state === 'retired' || state === 'revoked') {
    throw new KeyFileError(`The key in ${key.locator.replace(/^file:/, '')} was ${state}: put a fresh key there.`);
  }
  await keyManager.adopt(key);
}

/**
 * Opens the key manager of the keys that the ledger knows and of the configured one. A name of AWS KMS that now leads
 * to another key stops the start, unless the ledger knows that key.
 */
export async function openKeyManager(
  config: Config,
  dir: DataDir | undefined,
  configured: RootKey | AwaitedRoot,
  world: Pick<KeyManagerPorts, 'ledger' | 'clock' | 'onTrust' | 'tidiesForAll'> & {
    readonly events: Events;
    /** Whether a caller may have this name by a JWT. */
    readonly mayName: (iss: string) => boolean;
  },
  maxLifetimeSeconds: number,
): Promise<KeyManager> {
  const demand = async (signer: OpenSigner) => {
    if (signer instanceof AwsKmsSigner && dir !== undefined && !(await isKnown(signer, world.ledger))) {
      await holdToPin(dir.kmsKey, signer.pin);
    }
  };
  const ports = { ...keyPorts(config, dir, world.events), ...world };
  const policy = policyOf(config, maxLifetimeSeconds, world.mayName);
  if ('attempt' in configured) return KeyManager.open(ports, policy, demandLater(configured, demand));
  await demand(configured.signer);
  return KeyManager.open(ports, policy, configured);
}

async function isKnown({ jwk }: OpenSigner, ledger: Ledger): Promise<boolean> {
  return (await ledger.find(KEY_SCOPE, keyEntryName({ kid: jwk.kid, state: 'active' }))) !== undefined;
}

const HOUR_MS = 3_600_000;

function policyOf(
  { issuer, keys, token, callers }: Config,
  maxLifetimeSeconds: number,
  mayName: (iss: string) => boolean,
): KeyManagerPolicy {
  // Proven callers are issued tokens in their own name, so our keys speak for SPIFFE IDs where callers are proven.
  return {
    issuer,
    speaksFor: (iss) => isWithin(iss, issuer) || (callers.areProven && isWorkloadId(iss)) || mayName(iss),
    keySetMaxAgeMs: 1000 * keys.setMaxAgeSeconds,
    refreshMs: keys.refreshMs,
    retention: {
      maxLifetimeSeconds,
      // The lesser of the two would reject what a process signs that has not looked at the ledger yet.
      skewSeconds: Math.max(token.maxFutureSeconds, Math.ceil((2 * keys.refreshMs) / 1000)),
    },
    rotateAfterMs: keys.rotationHours === 0 ? undefined : keys.rotationHours * HOUR_MS,
    delegatedLifeMs: keys.signing === 'direct' ? undefined : keys.delegatedHours * HOUR_MS,
    direct: keys.direct,
  };
}

type KeyPorts = Pick<KeyManagerPorts, 'openRoot' | 'locatorOf' | 'makeRoot' | 'makeDelegated'>;

function keyPorts(config: Config, dir: DataDir | undefined, events: Events): KeyPorts {
  const { signer } = config;
  const makesOwn = signer.kind === 'local' && signer.keyFile === undefined;
  return {
    openRoot: (locator) => openRoot(config, dir, locator, events),
    locatorOf: (nextKey) => (signer.kind === 'kms' && isKeyName(nextKey) !== undefined ? `kms:${nextKey}` : undefined),
    makeRoot: makesOwn ? (generation) => makeOwnKey(dir, generation) : undefined,
    makeDelegated: openFreshKey,
  };
}

async function openRoot(
  { signer, keys }: Config,
  dir: DataDir | undefined,
  locator: string,
  events: Events,
): Promise<OpenSigner> {
  const [, kind, place = ''] = /^([a-z-]+):(.+)$/.exec(locator) ?? [];
  if (kind === 'kms' && signer.kind === 'kms') {
    return forCallers(openKmsKey({ ...signer, key: place }, keys, events.signerRegionChanged));
  }
  if (kind === 'file' && signer.kind === 'local') {
    return orForCallers(openKeyFile(signer, place), 'in the file that ECT_LOCAL_KEY_FILE named for it');
  }
  if (kind === 'data-dir' && dir !== undefined && isOwnSigningKey(place)) {
    const path = join(dirname(dir.signingKey), place);
    return orForCallers(readOwnKeyFile(path).then(LocalSigner.open), `${place} of the data directory`);
  }
  const message = `This configuration cannot open the signing key that is in use: the operator corrects ECT_SIGNER, or ${USE_NEXT}.`;
  throw new EctError(reject('SIGNER_MISCONFIGURED', message), { cause: new Error(`the ledger names ${locator}`) });
}

/** An attempt whose failure has a sentence for callers, without the path. */
async function orForCallers(attempt: Promise<OpenSigner>, key: string): Promise<OpenSigner> {
  try {
    return await attempt;
  } catch (cause) {
    if (!(cause instanceof KeyFileError)) throw cause;
    const message = `The signing key ${key} cannot be opened: the operator puts it back, or ${USE_NEXT}.`;
    throw new EctError(reject('SIGNER_MISCONFIGURED', message), { cause });
  }
}

/** The passphrase is for the file of the configuration; a file before it may be without. */
async function openKeyFile(
  { passphrase: source }: SignerConfig & { kind: 'local' },
  path: string,
  isDryRun = false,
): Promise<LocalSigner> {
  const passphrase = source === undefined ? undefined : readPassphrase(source, isDryRun);
  return LocalSigner.open(await readKeyFile(path, passphrase, isDryRun));
}

/** The same file for all processes of a data directory, so that those who rotate at once make one key between them. */
async function makeOwnKey(dir: DataDir | undefined, generation: number): Promise<RootKey> {
  if (dir === undefined) return { signer: await openFreshKey(), locator: 'memory:process' };
  const name = generation === 0 ? 'signing-key.pem' : `signing-key-${generation}.pem`;
  const key = await readOrCreateKeyFile(join(dirname(dir.signingKey), name));
  return { signer: await LocalSigner.open(key), locator: `data-dir:${name}` };
}

function openFreshKey(): Promise<LocalSigner> {
  return LocalSigner.open(createPrivateKey(generateKeyPem()));
}
