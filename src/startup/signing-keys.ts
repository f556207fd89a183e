// Opens root keys: it selects the signer for a locator in the ledger, and creates the service's own keys.

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
 * Returns the configured key, unless it is in a file; or the service's own first key if none is configured. `mayWait`: a start may
 * continue without a key in AWS KMS.
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
 * Returns the configured key file with the file of its passphrase; undefined if none is configured. `isDryRun`: the permissions of both
 * files are not changed.
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

/**
 * Rejects a FIFO that has replaced a file, because to read it would block. At the start a FIFO is allowed; then there are no earlier
 * contents.
 */
function rejectOtherTypes(paths: readonly string[], contents: readonly Content[]): void {
  const faults = paths.map((path, at) => (isOtherType(contents[at]) ? fileTypeFault(path) : undefined));
  const fault = faults.find((found) => found !== undefined);
  if (fault !== undefined) throw new KeyFileError(`The key file cannot be read: ${fault}.`);
}

function isOtherType(content: Content | undefined): boolean {
  return content !== undefined && 'code' in content && content.code === NOT_A_FILE;
}

/**
 * Makes another key in the configured file the next root key: it is announced now, and becomes active when no cached key set can lack it.
 */
export async function adoptKey(keyManager: KeyManager, key: RootKey): Promise<void> {
  const { kid } = key.signer.jwk;
  const state = keyManager.all.find((known) => known.kid === kid)?.state;
  if (state === 'retired' || state === 'revoked') {
    throw new KeyFileError(`The key in ${key.locator.replace(/^file:/, '')} was ${state}: put a fresh key there.`);
  }
  await keyManager.adopt(key);
}

/**
 * Opens the key manager with the keys in the ledger and the configured key. If the configured name in AWS KMS refers to another key than
 * before, the start fails, unless the ledger knows that key.
 */
export async function openKeyManager(
  config: Config,
  dir: DataDir | undefined,
  configured: RootKey | AwaitedRoot,
  world: Pick<KeyManagerPorts, 'ledger' | 'clock' | 'onTrust' | 'tidiesForAll'> & {
    readonly events: Events;
    /** Whether a caller may have this name in a JWT. */
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
  // Authenticated callers get tokens in their own name, so if callers are authenticated the keys must be trusted for SPIFFE IDs.
  return {
    issuer,
    speaksFor: (iss) => isWithin(iss, issuer) || (callers.areProven && isWorkloadId(iss)) || mayName(iss),
    keySetMaxAgeMs: 1000 * keys.setMaxAgeSeconds,
    refreshMs: keys.refreshMs,
    retention: {
      maxLifetimeSeconds,
      // The larger of the two: with the smaller one, tokens of a process that has not read the ledger yet would be rejected.
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

/** Converts the failure of an attempt into an error for callers, without the path. */
async function orForCallers(attempt: Promise<OpenSigner>, key: string): Promise<OpenSigner> {
  try {
    return await attempt;
  } catch (cause) {
    if (!(cause instanceof KeyFileError)) throw cause;
    const message = `The signing key ${key} cannot be opened: the operator puts it back, or ${USE_NEXT}.`;
    throw new EctError(reject('SIGNER_MISCONFIGURED', message), { cause });
  }
}

/** The passphrase belongs to the configured file. An earlier file may have none. */
async function openKeyFile(
  { passphrase: source }: SignerConfig & { kind: 'local' },
  path: string,
  isDryRun = false,
): Promise<LocalSigner> {
  const passphrase = source === undefined ? undefined : readPassphrase(source, isDryRun);
  return LocalSigner.open(await readKeyFile(path, passphrase, isDryRun));
}

/**
 * Creates the service's own key. All processes of a data directory use the same file name, so that concurrent rotations create one key.
 */
async function makeOwnKey(dir: DataDir | undefined, generation: number): Promise<RootKey> {
  if (dir === undefined) return { signer: await openFreshKey(), locator: 'memory:process' };
  const name = generation === 0 ? 'signing-key.pem' : `signing-key-${generation}.pem`;
  const key = await readOrCreateKeyFile(join(dirname(dir.signingKey), name));
  return { signer: await LocalSigner.open(key), locator: `data-dir:${name}` };
}

function openFreshKey(): Promise<LocalSigner> {
  return LocalSigner.open(createPrivateKey(generateKeyPem()));
}
