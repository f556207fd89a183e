import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/index.ts';

const keysOf = (env: Readonly<Record<string, string>>) => readConfig(env).keys;

test('S10 keys are never rotated by themselves, sign directly and may be kept for five minutes by default', () => {
  expect(keysOf({})).toEqual({
    setMaxAgeSeconds: 300,
    refreshMs: 1000,
    rotationHours: 0,
    signing: 'direct',
    delegatedHours: 1,
    direct: { issuers: [], actions: [] },
    publicUrl: undefined,
  });
});

test.each([
  ['ECT_JWKS_MAX_AGE_SEC', '1', { setMaxAgeSeconds: 1 }],
  ['ECT_KEYS_REFRESH_SEC', '0.25', { refreshMs: 250 }],
  ['ECT_KEYS_REFRESH_SEC', '60', { refreshMs: 60_000 }],
  ['ECT_KEY_ROTATION_HOURS', '720', { rotationHours: 720 }],
  ['ECT_SIGNING', 'two-tier', { signing: 'two-tier' }],
  ['ECT_PUBLIC_URL', 'https://ect.example', { publicUrl: 'https://ect.example' }],
  ['ECT_PUBLIC_URL', 'http://127.0.0.1:8080/', { publicUrl: 'http://127.0.0.1:8080' }],
])('%s=%s is read', (key, value, expected) => {
  expect(keysOf({ [key]: value })).toMatchObject(expected);
});

test('how long a delegated key lives is read in two tiers', () => {
  expect(keysOf({ ECT_SIGNING: 'two-tier', ECT_DELEGATED_KEY_HOURS: '4' }).delegatedHours).toBe(4);
});

test('what is signed directly in two tiers is a list', () => {
  const env = { ECT_SIGNING: 'two-tier', ECT_DIRECT_ACTS: 'execute_trade, pay', ECT_DIRECT_ISSUERS: 'urn:bank' };
  expect(keysOf(env).direct).toEqual({ actions: ['execute_trade', 'pay'], issuers: ['urn:bank'] });
});

describe('S10 a mistake stops the start and names its key', () => {
  test.each<[why: string, env: Readonly<Record<string, string>>, names: string]>([
    [
      'A2: an issuer that no token can have',
      { ECT_SIGNING: 'two-tier', ECT_DIRECT_ISSUERS: 'urn:bank,spiffe://example.org//bank' },
      'ECT_DIRECT_ISSUERS',
    ],
    ['a life of nothing', { ECT_JWKS_MAX_AGE_SEC: '0' }, 'ECT_JWKS_MAX_AGE_SEC'],
    ['a look at the ledger without end', { ECT_KEYS_REFRESH_SEC: '0' }, 'ECT_KEYS_REFRESH_SEC'],
    ['a look that comes too late', { ECT_KEYS_REFRESH_SEC: '61' }, 'ECT_KEYS_REFRESH_SEC'],
    ['another spelling of tiers', { ECT_SIGNING: 'twotier' }, 'ECT_SIGNING'],
    ['a path in the address', { ECT_PUBLIC_URL: 'https://ect.example/a' }, 'ECT_PUBLIC_URL'],
    ['direct acts without tiers', { ECT_DIRECT_ACTS: 'a' }, 'ECT_DIRECT_ACTS needs ECT_SIGNING=two-tier'],
    ['a life of keys without tiers', { ECT_DELEGATED_KEY_HOURS: '2' }, 'ECT_DELEGATED_KEY_HOURS needs'],
    ['control characters', { ECT_SIGNING: 'two-tier', ECT_DIRECT_ACTS: 'a\nb' }, 'ECT_DIRECT_ACTS'],
    [
      'a key of the operator that rotates by itself',
      { ECT_KEY_ROTATION_HOURS: '1', ECT_LOCAL_KEY_FILE: '/k' },
      'ROTATION',
    ],
    [
      'a key in KMS that rotates by itself',
      { ECT_KEY_ROTATION_HOURS: '1', ECT_SIGNER: 'kms', ECT_KMS_KEY: 'alias/a', ECT_KMS_REGION: 'eu-west-1' },
      'ect keys rotate',
    ],
    ['rotation before a key is due', { ECT_KEY_ROTATION_HOURS: '1', ECT_JWKS_MAX_AGE_SEC: '3600' }, 'twice'],
    ['renewal before a key is due', { ECT_SIGNING: 'two-tier', ECT_JWKS_MAX_AGE_SEC: '3600' }, 'four times'],
  ])('%s', (_why, env, names) => {
    expect(() => readConfig(env)).toThrow(ConfigError);
    expect(() => readConfig(env)).toThrow(names);
  });
});
