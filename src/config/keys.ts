// The settings of key rotation: when signing keys change, and how long verifiers may cache the key set.

import { hasSpiffeScheme, isSpiffeId } from '../token/index.ts';
import type { Rules, Settings, ValuesOf } from './setting.ts';
import type { SignerConfig } from './signer.ts';
import { choice, list, parsed, whole } from './types.ts';

export interface KeysConfig {
  /** How long verifiers may cache the key set. */
  readonly setMaxAgeSeconds: number;
  /** How often the ledger is read for changes of keys. */
  readonly refreshMs: number;
  /** The age at which the service replaces the signing key; 0: it never does so by itself. */
  readonly rotationHours: number;
  /** `direct`: the root key signs tokens. `two-tier`: a short-lived key signs tokens, and the root key certifies it. */
  readonly signing: 'direct' | 'two-tier';
  readonly delegatedHours: number;
  /** What the root key signs itself with `two-tier`. */
  readonly direct: { readonly issuers: readonly string[]; readonly actions: readonly string[] };
  /** The public base URL of the service; undefined: the address that it listens on. */
  readonly publicUrl: string | undefined;
}

const NAME = /^[^\p{Cc}\p{Cs}]{1,2048}$/u;

const TWO_TIER_SETTINGS = {
  // key-manager/key-start.ts relies on these limits: a delegated key ends at most nine days after its announcement.
  ECT_DELEGATED_KEY_HOURS: { type: whole(1, 168), default: '1', meaning: 'two-tier: lifetime of a delegated key' },
  ECT_DIRECT_ACTS: {
    type: list('list of exec_act', 'names of actions separated by commas', NAME),
    meaning: 'two-tier: `exec_act` whose tokens the root key signs directly',
  },
  ECT_DIRECT_ISSUERS: {
    // Only names that a token can have: any other issuer would match nothing.
    type: list(
      'list of issuers',
      'issuers separated by commas',
      (name) => NAME.test(name) && (!hasSpiffeScheme(name) || isSpiffeId(name)),
    ),
    meaning: 'two-tier: issuers whose tokens the root key signs directly',
  },
} satisfies Settings;

export const KEY_SETTINGS = {
  ECT_KEY_ROTATION_HOURS: {
    type: whole(0, 87_600),
    default: '0',
    meaning:
      'age at which the service replaces the signing key that it generated; `0`: only `ect keys rotate` replaces it',
  },
  ECT_JWKS_MAX_AGE_SEC: {
    type: whole(1, 86_400),
    default: '300',
    meaning: 'cache lifetime of the key set (JWKS); keys are announced at least this long before they sign',
  },
  ECT_KEYS_REFRESH_SEC: {
    type: parsed('0.1 to 60', 'a number of seconds from 0.1 to 60', readSeconds),
    default: '1',
    meaning: 'interval at which changes of keys are read from the ledger: the delay until a revocation takes effect',
  },
  ECT_SIGNING: {
    type: choice('direct', 'two-tier'),
    default: 'direct',
    meaning: '`two-tier`: delegated keys sign tokens, and the root key [certifies them](docs/operating.md#two-tiers)',
  },
  ...TWO_TIER_SETTINGS,
} satisfies Settings;

interface Surroundings {
  readonly signer: SignerConfig;
  readonly publicUrl: string | undefined;
}

export function keysConfig(
  values: ValuesOf<typeof KEY_SETTINGS>,
  { problem, needs }: Rules,
  { signer, publicUrl }: Surroundings,
): KeysConfig {
  const setMaxAgeSeconds = values.ECT_JWKS_MAX_AGE_SEC;
  const rotationHours = values.ECT_KEY_ROTATION_HOURS;
  const delegatedHours = values.ECT_DELEGATED_KEY_HOURS;
  const signing = values.ECT_SIGNING;
  if (rotationHours > 0 && (signer.kind === 'kms' || signer.keyFile !== undefined)) {
    problem('ECT_KEY_ROTATION_HOURS is for keys that the service makes: rotate KMS keys with `ect keys rotate`.');
  }
  if (rotationHours > 0 && rotationHours * 1800 < setMaxAgeSeconds) {
    problem('ECT_KEY_ROTATION_HOURS must be at least twice as long as ECT_JWKS_MAX_AGE_SEC.');
  }
  if (signing === 'two-tier' && delegatedHours * 900 < setMaxAgeSeconds) {
    problem('ECT_DELEGATED_KEY_HOURS must be at least four times as long as ECT_JWKS_MAX_AGE_SEC.');
  }
  if (signing === 'direct') needs(Object.keys(TWO_TIER_SETTINGS), 'ECT_SIGNING=two-tier');
  return {
    setMaxAgeSeconds,
    refreshMs: 1000 * values.ECT_KEYS_REFRESH_SEC,
    rotationHours,
    signing,
    delegatedHours,
    direct: { issuers: values.ECT_DIRECT_ISSUERS ?? [], actions: values.ECT_DIRECT_ACTS ?? [] },
    publicUrl,
  };
}

function readSeconds(value: string): number | undefined {
  const seconds = /^[0-9]{1,2}(?:\.[0-9]{1,3})?$/.test(value) ? Number(value) : Number.NaN;
  return seconds >= 0.1 && seconds <= 60 ? seconds : undefined;
}
