// The settings of the signing key.

import type { Rules, Settings, ValuesOf } from './setting.ts';
import { choice, entriesOf, parsed, path, text, whole } from './types.ts';

/** The source of the passphrase of a key file. It is a function, so that a printed Config does not show it. */
export type PassphraseSource = { readonly file: string } | { readonly reveal: () => string };

export type SignerConfig =
  | {
      readonly kind: 'local';
      readonly keyFile: string | undefined;
      readonly passphrase: PassphraseSource | undefined;
    }
  | {
      readonly kind: 'kms';
      readonly key: string;
      /** At least one, in order of preference. */
      readonly regions: readonly string[];
      readonly endpoint: string | undefined;
      readonly requestsPerSecond: number;
      readonly concurrency: number;
    };

const LOCAL_SETTINGS = {
  ECT_LOCAL_KEY_FILE: {
    type: path,
    unset: 'generated in the data directory',
    meaning: 'P-256 private key: PKCS#8 or SEC1 PEM, or JWK; readable by its owner only',
  },
  ECT_LOCAL_KEY_PASSPHRASE_FILE: { type: path, meaning: 'file with the passphrase of an encrypted PEM' },
  ECT_LOCAL_KEY_PASSPHRASE: {
    type: text('text', 'at most 1,000 bytes', (value) => Buffer.byteLength(value) <= 1000),
    meaning: 'the passphrase itself; other processes may be able to read the environment',
    secret: { says: 'a secret', fileSetting: 'ECT_LOCAL_KEY_PASSPHRASE_FILE', isIn: () => true },
  },
} satisfies Settings;

const KMS_SETTINGS = {
  ECT_KMS_KEY: {
    type: text('text', 'a key id, alias/name, or the ARN of one', isKeyName),
    meaning: 'AWS KMS: key id, `alias/name` or ARN of a key of spec `ECC_NIST_P256` for `SIGN_VERIFY`',
  },
  ECT_KMS_REGION: {
    type: parsed('list of regions', 'a list of different regions, such as eu-central-1,eu-west-1', readRegions),
    unset: 'the region of the ARN',
    meaning: 'AWS KMS: a region, or several in order of preference for a multi-Region key',
  },
  ECT_KMS_ENDPOINT: {
    type: text('URL', 'an https URL, or an http URL of a loopback address, without a path', isEndpoint),
    unset: 'AWS',
    meaning: 'AWS KMS: URL of an emulator or a private endpoint',
  },
  ECT_KMS_REQUESTS_PER_SECOND: {
    type: whole(1, 100_000),
    default: '1000',
    meaning: "AWS KMS: this process's share of the quota of a region",
  },
  ECT_KMS_CONCURRENCY: { type: whole(1, 10_000), default: '100', meaning: 'AWS KMS: concurrent signatures' },
} satisfies Settings;

export const SIGNER_SETTINGS = {
  ECT_SIGNER: {
    type: choice('local', 'kms'),
    default: 'local',
    meaning: 'where tokens are signed: `local`, or `kms` (AWS KMS)',
  },
  ...LOCAL_SETTINGS,
  ...KMS_SETTINGS,
} satisfies Settings;

export function signerConfig(values: ValuesOf<typeof SIGNER_SETTINGS>, rules: Rules): SignerConfig {
  const local = localConfig(values, rules);
  const kms = kmsConfig(values);
  if (values.ECT_SIGNER === 'local') {
    rules.needs(Object.keys(KMS_SETTINGS), 'ECT_SIGNER=kms');
    return local;
  }
  if (kms.key === '') rules.problem('ECT_SIGNER=kms needs ECT_KMS_KEY: a key id, an alias or an ARN.');
  else if (kms.regions.length === 0) rules.problem('ECT_KMS_KEY is not an ARN, so ECT_KMS_REGION must be set.');
  if (local.keyFile !== undefined) rules.problem('ECT_LOCAL_KEY_FILE contradicts ECT_SIGNER=kms: remove one.');
  return kms;
}

function localConfig(
  values: ValuesOf<typeof LOCAL_SETTINGS>,
  { problem }: Rules,
): SignerConfig & { readonly kind: 'local' } {
  const { ECT_LOCAL_KEY_FILE: keyFile, ECT_LOCAL_KEY_PASSPHRASE_FILE: file, ECT_LOCAL_KEY_PASSPHRASE: words } = values;
  if (file !== undefined && words !== undefined) {
    problem('ECT_LOCAL_KEY_PASSPHRASE and ECT_LOCAL_KEY_PASSPHRASE_FILE are both set: remove the first.');
  }
  if ((file !== undefined || words !== undefined) && keyFile === undefined) {
    problem('A passphrase needs ECT_LOCAL_KEY_FILE: a key that the service generates has no passphrase.');
  }
  const passphrase = file !== undefined ? { file } : words !== undefined ? { reveal: () => words } : undefined;
  return { kind: 'local', keyFile, passphrase };
}

function kmsConfig(values: ValuesOf<typeof KMS_SETTINGS>): SignerConfig & { readonly kind: 'kms' } {
  const key = values.ECT_KMS_KEY ?? '';
  const named = /^arn:[^:]+:kms:([^:]+):/.exec(key)?.[1];
  return {
    kind: 'kms',
    key,
    regions: values.ECT_KMS_REGION ?? (named === undefined ? [] : [named]),
    endpoint: values.ECT_KMS_ENDPOINT,
    requestsPerSecond: values.ECT_KMS_REQUESTS_PER_SECOND,
    concurrency: values.ECT_KMS_CONCURRENCY,
  };
}

export function isKeyName(value: string): boolean {
  const name = /^(?:arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:)?(?:key\/|alias\/)?[A-Za-z0-9/_-]{1,256}$/;
  const isArn = value.startsWith('arn:');
  return name.test(value) && isArn === /:(?:key|alias)\//.test(value);
}

function readRegions(value: string): readonly string[] | undefined {
  const regions = entriesOf(value);
  const areRegions = regions.every((region) => /^[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}$/.test(region));
  return areRegions && new Set(regions).size === regions.length && regions.length <= 8 ? regions : undefined;
}

/** Whether the URL is https or on loopback: requests carry a session token, so they must not cross a network unencrypted. */
function isEndpoint(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(value);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.[0-9]+){3}$/.test(hostname);
  const isPlain = pathname === '/' && search + hash + username + password === '';
  return isPlain && (protocol === 'https:' || (protocol === 'http:' && isLocal));
}
