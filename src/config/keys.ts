// Which settings say how signing keys change, and what others may believe of them for how long.

import { hasSpiffeScheme, isSpiffeId } from '../token/index.ts';
import type { SettingsReader, SignerConfig } from './signer.ts';

export interface KeysConfig {
  /** For how long anybody may keep the key set. */
  readonly setMaxAgeSeconds: number;
  /** How often the ledger is asked for changes of keys. */
  readonly refreshMs: number;
  /** Age at which the service replaces the signing key; 0: never by itself. */
  readonly rotationHours: number;
  /** `direct`: the root key signs tokens. `two-tier`: a short-lived key does, which the root key certifies. */
  readonly signing: 'direct' | 'two-tier';
  readonly delegatedHours: number;
  /** What the root key signs itself in two tiers. */
  readonly direct: { readonly issuers: readonly string[]; readonly actions: readonly string[] };
  /** Under which the world reaches the service; undefined: the address that it listens on. */
  readonly publicUrl: string | undefined;
}

export function readKeys({ read, whole, problem, needs }: SettingsReader, signer: SignerConfig): KeysConfig {
  const setMaxAgeSeconds = whole('ECT_JWKS_MAX_AGE_SEC', 300, 1, 86_400);
  const rotationHours = whole('ECT_KEY_ROTATION_HOURS', 0, 0, 87_600);
  const signing = read<KeysConfig['signing']>('ECT_SIGNING', 'direct', 'direct or two-tier', (text) =>
    text === 'direct' || text === 'two-tier' ? text : undefined,
  );
  // custody/key-start.ts relies on these limits: no delegated key ends later than nine days after its announcement.
  const delegatedHours = whole('ECT_DELEGATED_KEY_HOURS', 1, 1, 168);
  const actions = read<readonly string[]>('ECT_DIRECT_ACTS', [], 'names of actions with commas between them', readList);
  const issuers = read<readonly string[]>('ECT_DIRECT_ISSUERS', [], 'issuers with commas between them', readIssuers);
  if (rotationHours > 0 && (signer.kind === 'kms' || signer.keyFile !== undefined)) {
    problem('ECT_KEY_ROTATION_HOURS is for keys that the service makes: rotate KMS keys with `ect keys rotate`.');
  }
  if (rotationHours > 0 && rotationHours * 1800 < setMaxAgeSeconds) {
    problem('ECT_KEY_ROTATION_HOURS must be at least twice as long as ECT_JWKS_MAX_AGE_SEC.');
  }
  if (signing === 'two-tier' && delegatedHours * 900 < setMaxAgeSeconds) {
    problem('ECT_DELEGATED_KEY_HOURS must be at least four times as long as ECT_JWKS_MAX_AGE_SEC.');
  }
  if (signing === 'direct') {
    needs(['ECT_DELEGATED_KEY_HOURS', 'ECT_DIRECT_ACTS', 'ECT_DIRECT_ISSUERS'], 'ECT_SIGNING=two-tier');
  }
  return {
    setMaxAgeSeconds,
    refreshMs: 1000 * read('ECT_KEYS_REFRESH_SEC', 1, 'a number of seconds from 0.1 to 60', readSeconds),
    rotationHours,
    signing,
    delegatedHours,
    direct: { issuers, actions },
    publicUrl: read<string | undefined>('ECT_PUBLIC_URL', undefined, 'an http or https URL without a path', readOrigin),
  };
}

function readSeconds(text: string): number | undefined {
  const value = /^[0-9]{1,2}(?:\.[0-9]{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  return value >= 0.1 && value <= 60 ? value : undefined;
}

function readList(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => /^[^\p{Cc}\p{Cs}]{1,2048}$/u.test(name)) ? names : undefined;
}

/** An issuer that no token can have would match nothing. */
function readIssuers(text: string): readonly string[] | undefined {
  const names = readList(text);
  return names?.every((name) => !hasSpiffeScheme(name) || isSpiffeId(name)) === true ? names : undefined;
}

function readOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, href } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/` ? origin : undefined;
}
