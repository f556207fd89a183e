// The keys of the double: their material, states and names in each region, and who is told what when one is asked for.

import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { KmsError } from './kms-error.ts';

export const ACCOUNT = '111122223333';

export type KeySpec = 'ECC_NIST_P256' | 'ECC_NIST_P384' | 'RSA_2048' | 'SYMMETRIC_DEFAULT';
export type KeyUsage = 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT' | 'KEY_AGREEMENT';
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport' | 'Unavailable';

/** One key in one region. Replicas of a multi-Region key share `keyId` and `material`. */
export interface KmsKey {
  readonly keyId: string;
  readonly region: string;
  readonly arn: string;
  readonly spec: KeySpec;
  readonly usage: KeyUsage;
  /** Undefined for a symmetric key, which the double makes but never uses. */
  readonly material: KeyPair | undefined;
  readonly createdAt: number;
  state: KeyState;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Region {
  readonly keys: Map<string, KmsKey>;
  /** `alias/name` to key id. */
  readonly aliases: Map<string, string>;
}

/** Every key of every region. */
export class KmsKeys {
  readonly #regions = new Map<string, Region>();

  create(region: string, spec: KeySpec, usage: KeyUsage, multiRegion: boolean): KmsKey {
    const keyId = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
    return this.#add(region, keyId, spec, usage, makeMaterial(spec));
  }

  /** The same multi-Region key in another region. */
  replicate(key: KmsKey, region: string): KmsKey {
    if (!key.keyId.startsWith('mrk-')) throw new KmsError('UnsupportedOperationException');
    return this.#add(region, key.keyId, key.spec, key.usage, key.material);
  }

  createAlias(region: string, alias: string, target: string): void {
    const { aliases } = this.#region(region);
    if (!/^alias\/[A-Za-z0-9/_-]{1,250}$/.test(alias)) throw new KmsError('ValidationException');
    if (aliases.has(alias)) throw new KmsError('AlreadyExistsException');
    aliases.set(alias, this.find(region, target).keyId);
  }

  updateAlias(region: string, alias: string, target: string): void {
    const { aliases } = this.#region(region);
    if (!aliases.has(alias)) throw new KmsError('NotFoundException');
    aliases.set(alias, this.find(region, target).keyId);
  }

  /** By key id, key ARN, alias name or alias ARN. What is of another region or account is not found. */
  find(region: string, name: string): KmsKey {
    const local = name.startsWith('arn:') ? this.#localPart(region, name) : name;
    const { keys, aliases } = this.#region(region);
    const keyId = local.startsWith('alias/') ? aliases.get(local) : local.replace(/^key\//, '');
    const key = keyId === undefined ? undefined : keys.get(keyId);
    if (key === undefined) throw new KmsError('NotFoundException');
    return key;
  }

  #localPart(region: string, arn: string): string {
    const prefix = `arn:aws:kms:${region}:${ACCOUNT}:`;
    if (!arn.startsWith(prefix)) throw new KmsError('NotFoundException');
    return arn.slice(prefix.length);
  }

  #add(region: string, keyId: string, spec: KeySpec, usage: KeyUsage, material: KeyPair | undefined): KmsKey {
    const arn = `arn:aws:kms:${region}:${ACCOUNT}:key/${keyId}`;
    const key: KmsKey = { keyId, region, arn, spec, usage, material, createdAt: Date.now() / 1000, state: 'Enabled' };
    this.#region(region).keys.set(keyId, key);
    return key;
  }

  #region(name: string): Region {
    const region = this.#regions.get(name) ?? { keys: new Map(), aliases: new Map() };
    this.#regions.set(name, region);
    return region;
  }
}

/** Whether a key may be used now. Describing it is always allowed. */
export function demandUsable(key: KmsKey): void {
  if (key.state === 'Disabled') throw new KmsError('DisabledException');
  if (key.state !== 'Enabled') throw new KmsError('KMSInvalidStateException');
}

function makeMaterial(spec: KeySpec): KeyPair | undefined {
  switch (spec) {
    case 'ECC_NIST_P256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ECC_NIST_P384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'RSA_2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'SYMMETRIC_DEFAULT':
      return undefined;
  }
}
