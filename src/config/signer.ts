// Which settings say where tokens are signed, and with what.

/** Where the passphrase of a key file is. It is behind a function, so that nothing that prints a Config shows it. */
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
      /** In order of preference, one at least. */
      readonly regions: readonly string[];
      readonly endpoint: string | undefined;
      readonly requestsPerSecond: number;
      readonly concurrency: number;
    };

/** Reads settings by their rule, and notes what breaks one. */
export interface SettingsReader {
  read<T>(key: string, fallback: T, rule: string, parse: (text: string) => T | undefined): T;
  path(key: string): string;
  whole(key: string, fallback: number, least: number, most: number): number;
  problem(sentence: string): void;
  /** Notes each of these that is set although it would change nothing. */
  needs(keys: readonly string[], setting: string): void;
}

const KMS_KEYS = [
  'ECT_KMS_KEY',
  'ECT_KMS_REGION',
  'ECT_KMS_ENDPOINT',
  'ECT_KMS_REQUESTS_PER_SECOND',
  'ECT_KMS_CONCURRENCY',
];

export function readSigner(settings: SettingsReader): SignerConfig {
  const kind = settings.read<SignerConfig['kind']>('ECT_SIGNER', 'local', 'local or kms', (text) =>
    text === 'local' || text === 'kms' ? text : undefined,
  );
  const local = readLocal(settings);
  const kms = readKms(settings);
  if (kind === 'local') {
    settings.needs(KMS_KEYS, 'ECT_SIGNER=kms');
    return local;
  }
  if (kms.key === '') settings.problem('ECT_SIGNER=kms needs ECT_KMS_KEY: a key id, an alias or an ARN.');
  else if (kms.regions.length === 0) settings.problem('ECT_KMS_KEY is not an ARN, so ECT_KMS_REGION must be set.');
  if (local.keyFile !== undefined) settings.problem('ECT_LOCAL_KEY_FILE contradicts ECT_SIGNER=kms: remove one.');
  return kms;
}

function readLocal({ read, path, problem }: SettingsReader): SignerConfig & { kind: 'local' } {
  const keyFile = path('ECT_LOCAL_KEY_FILE') || undefined;
  const file = path('ECT_LOCAL_KEY_PASSPHRASE_FILE');
  const text = read('ECT_LOCAL_KEY_PASSPHRASE', '', 'at most 1,000 bytes', (value) =>
    Buffer.byteLength(value) <= 1000 ? value : undefined,
  );
  if (file !== '' && text !== '') {
    problem('ECT_LOCAL_KEY_PASSPHRASE and ECT_LOCAL_KEY_PASSPHRASE_FILE are both set: remove the first.');
  }
  if ((file !== '' || text !== '') && keyFile === undefined) {
    problem('A passphrase needs ECT_LOCAL_KEY_FILE: the key that the service makes has none.');
  }
  const passphrase = file !== '' ? { file } : text !== '' ? { reveal: () => text } : undefined;
  return { kind: 'local', keyFile, passphrase };
}

function readKms({ read, whole }: SettingsReader): SignerConfig & { kind: 'kms' } {
  const key = read('ECT_KMS_KEY', '', 'a key id, alias/name, or the ARN of one', readKeyName);
  const named = /^arn:[^:]+:kms:([^:]+):/.exec(key)?.[1];
  return {
    kind: 'kms',
    key,
    regions: read(
      'ECT_KMS_REGION',
      named === undefined ? [] : [named],
      'a list of different regions, such as eu-central-1,eu-west-1',
      readRegions,
    ),
    endpoint: read<string | undefined>(
      'ECT_KMS_ENDPOINT',
      undefined,
      'an https URL, or an http URL of a loopback address, without a path',
      readEndpoint,
    ),
    requestsPerSecond: whole('ECT_KMS_REQUESTS_PER_SECOND', 1000, 1, 100_000),
    concurrency: whole('ECT_KMS_CONCURRENCY', 100, 1, 10_000),
  };
}

export function readKeyName(text: string): string | undefined {
  const name = /^(?:arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:)?(?:key\/|alias\/)?[A-Za-z0-9/_-]{1,256}$/;
  const isArn = text.startsWith('arn:');
  return name.test(text) && isArn === /:(?:key|alias)\//.test(text) ? text : undefined;
}

function readRegions(text: string): string[] | undefined {
  const regions = text.split(',').map((region) => region.trim());
  const areRegions = regions.every((region) => /^[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}$/.test(region));
  return areRegions && new Set(regions).size === regions.length && regions.length <= 8 ? regions : undefined;
}

/** Requests carry a session token, so they cross no network in the clear. */
function readEndpoint(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(text);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.[0-9]+){3}$/.test(hostname);
  const isPlain = pathname === '/' && search + hash + username + password === '';
  return isPlain && (protocol === 'https:' || (protocol === 'http:' && isLocal)) ? text : undefined;
}
