import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/index.ts';

type Env = Readonly<Record<string, string>>;

const signerOf = (env: Env) => readConfig(env).signer;

function problemsOf(env: Env): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef';
const KMS = { ECT_SIGNER: 'kms', ECT_KMS_KEY: 'alias/ect', ECT_KMS_REGION: 'eu-central-1' };

describe('a key in AWS KMS', () => {
  test('needs its name and a region; the rest has defaults', () => {
    expect(signerOf(KMS)).toEqual({
      kind: 'kms',
      key: 'alias/ect',
      regions: ['eu-central-1'],
      endpoint: undefined,
      requestsPerSecond: 1000,
      concurrency: 100,
    });
  });

  test.each([
    '01234567-89ab-cdef-0123-456789abcdef',
    'mrk-0123456789abcdef0123456789abcdef',
    'alias/team/ect_1',
    ARN,
    'arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/ect',
  ])('%s is a name', (key) => {
    expect(signerOf({ ...KMS, ECT_KMS_KEY: key })).toMatchObject({ key });
  });

  test.each([
    'arn:aws:s3:::bucket',
    'arn:aws:kms:eu-central-1:1:key/x',
    'arn:aws:kms:eu-central-1:111122223333:x',
    'a b',
  ])('S10: %s is none', (key) => {
    expect(problemsOf({ ...KMS, ECT_KMS_KEY: key })[0]).toMatch(/^ECT_KMS_KEY must be/);
  });

  test('an ARN brings its region; several are in order of preference', () => {
    expect(signerOf({ ECT_SIGNER: 'kms', ECT_KMS_KEY: ARN })).toMatchObject({ regions: ['eu-central-1'] });
    const regions = { ECT_KMS_REGION: 'us-east-1, eu-west-1' };
    expect(signerOf({ ...KMS, ...regions })).toMatchObject({ regions: ['us-east-1', 'eu-west-1'] });
  });

  test.each(['x', 'eu-central-1,', 'eu-central-1,eu-central-1', 'EU-CENTRAL-1'])(
    'S10: %s is no list of regions',
    (list) => {
      expect(problemsOf({ ...KMS, ECT_KMS_REGION: list })[0]).toMatch(/^ECT_KMS_REGION must be/);
    },
  );

  test.each(['https://kms.example.com', 'http://127.0.0.1:4599', 'http://localhost:4599', 'http://[::1]:4599'])(
    '%s is an endpoint',
    (endpoint) => {
      expect(signerOf({ ...KMS, ECT_KMS_ENDPOINT: endpoint })).toMatchObject({ endpoint });
    },
  );

  test.each([
    'http://kms.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'https://kms.example.com/path',
    'https://user:secret@kms.example.com',
    'kms.example.com',
    'ftp://127.0.0.1',
  ])('S10: %s is none: a session token crosses no network in the clear', (endpoint) => {
    const problems = problemsOf({ ...KMS, ECT_KMS_ENDPOINT: endpoint });
    expect(problems[0]).toMatch(/^ECT_KMS_ENDPOINT must be an https URL/);
    expect(problems.join()).not.toContain('secret');
  });

  test('S10: what is missing or contradicts itself is said', () => {
    expect(problemsOf({ ECT_SIGNER: 'kms' })).toEqual([
      'ECT_SIGNER=kms needs ECT_KMS_KEY: a key id, an alias or an ARN.',
    ]);
    expect(problemsOf({ ECT_SIGNER: 'kms', ECT_KMS_KEY: 'alias/ect' })).toEqual([
      'ECT_KMS_KEY is not an ARN, so ECT_KMS_REGION must be set.',
    ]);
    expect(problemsOf({ ECT_KMS_KEY: 'alias/ect' })).toEqual([
      'ECT_KMS_KEY needs ECT_SIGNER=kms: set that, or remove ECT_KMS_KEY.',
    ]);
    expect(problemsOf({ ...KMS, ECT_SIGNER: 'local', ECT_KMS_CONCURRENCY: '5' })).toEqual(
      ['ECT_KMS_KEY', 'ECT_KMS_REGION', 'ECT_KMS_CONCURRENCY'].map(
        (key) => `${key} needs ECT_SIGNER=kms: set that, or remove ${key}.`,
      ),
    );
    expect(problemsOf({ ...KMS, ECT_LOCAL_KEY_FILE: 'key.pem' })).toEqual([
      'ECT_LOCAL_KEY_FILE contradicts ECT_SIGNER=kms: remove one.',
    ]);
    expect(problemsOf({ ...KMS, ECT_KMS_REQUESTS_PER_SECOND: '0', ECT_KMS_CONCURRENCY: '1e9' })).toHaveLength(2);
  });
});

describe('the passphrase of a key file', () => {
  const FILE = { ECT_LOCAL_KEY_FILE: 'key.pem' };

  test('is in a file of its own, or in the environment', () => {
    expect(signerOf({ ...FILE, ECT_LOCAL_KEY_PASSPHRASE_FILE: 'words' })).toMatchObject({
      passphrase: { file: 'words' },
    });
    const signer = signerOf({ ...FILE, ECT_LOCAL_KEY_PASSPHRASE: 'canary-words' });
    if (signer.kind !== 'local' || signer.passphrase === undefined || !('reveal' in signer.passphrase)) {
      throw new Error('the passphrase is not there');
    }
    expect(signer.passphrase.reveal()).toBe('canary-words');
  });

  test('S1: printing the configuration does not show it', () => {
    const config = readConfig({ ...FILE, ECT_LOCAL_KEY_PASSPHRASE: 'canary-words' });
    expect(JSON.stringify(config) + inspect(config, { depth: null, showHidden: true })).not.toContain('canary');
  });

  test('S10: needs a key file, and is given once', () => {
    expect(problemsOf({ ECT_LOCAL_KEY_PASSPHRASE_FILE: 'words' })).toEqual([
      'A passphrase needs ECT_LOCAL_KEY_FILE: a key that the service generates has no passphrase.',
    ]);
    const both = { ECT_LOCAL_KEY_PASSPHRASE_FILE: 'words', ECT_LOCAL_KEY_PASSPHRASE: 'canary-words' };
    expect(problemsOf({ ...FILE, ...both })).toEqual([
      'ECT_LOCAL_KEY_PASSPHRASE and ECT_LOCAL_KEY_PASSPHRASE_FILE are both set: remove the first.',
    ]);
    const long = problemsOf({ ...FILE, ECT_LOCAL_KEY_PASSPHRASE: 'x'.repeat(1001) });
    expect(long).toEqual(['ECT_LOCAL_KEY_PASSPHRASE must be at most 1,000 bytes.']);
  });
});
