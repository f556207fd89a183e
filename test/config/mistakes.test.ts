// Mistakes in settings: each is rejected, all of them at once, and none with its value.

import { describe, expect, test } from 'vitest';
import { clientSettingWarnings } from '../../src/config/client-settings.ts';
import { ConfigError, examineConfig, readConfig } from '../../src/config/index.ts';
import { OTHER_NAMES } from '../../src/config/other-names.ts';
import { ALGORITHMS } from '../../src/keys/index.ts';
import { CLIENT_TLS, problemsOf } from './problems.ts';

describe('S10: mistakes', () => {
  test.each([
    [
      'ECT_LISTEN',
      ['8080', ':8080', 'localhost', 'localhost:', 'localhost:65536', 'localhost:-1', '::1:8080', '[::1]'],
    ],
    ['ECT_LISTEN', ['[zz]:1', '[::::]:1', '[127.0.0.1]:1', 'http://localhost:1', 'a b:1', 'localhost:080808', '🙂:1']],
    ['ECT_HTTP2', ['Node', '2', 'off']],
    ['ECT_WORKERS', ['0', '257', '-1', '1.5', 'Auto', 'all']],
    ['ECT_STORE', ['SQLITE', 'redis', ' memory']],
    ['ECT_SIGNER', ['aws', 'Local']],
    ['ECT_ALLOW_ANONYMOUS', ['true', 'YES', '1']],
    ['ECT_DRAFTS', ['02', '00,01,02', '00,00', ',', '00,', '1']],
    [
      'ECT_ALGORITHMS',
      ['none', 'ES256,none', 'ES256,HS256', 'HS512', 'es256', 'ES256,ES256', 'ES256,RS256', 'ES256;ES384'],
    ],
    ['ECT_UUIDS', ['on', 'STRICT', 'no']],
    ['ECT_TRUST_FILE', ['{"issuers":[]}']],
    ['ECT_LOG_LEVEL', ['verbose', 'INFO']],
    ['ECT_DEFAULT_EXPIRY_MIN', ['0', '1441', '-1', '1.5', '1e3', '0x10', ' 5', 'ten', '99999999999999999999']],
    ['ECT_IAT_MAX_AGE_MINUTES', ['0', '1441', 'NaN']],
    ['ECT_IAT_MAX_FUTURE_SEC', ['-1', '601', 'Infinity']],
    ['ECT_JTI_REPLAY_CACHE_SIZE', ['-1', '10000001', '1_000']],
    ['ECT_JTI_REPLAY_TTL_MIN', ['0', '10081']],
    ['ECT_MAX_CONNECTIONS', ['15', '1000001', 'many']],
    ['ECT_MAX_CONNECTIONS_PER_ADDRESS', ['0', '-1']],
    ['ECT_MAX_STREAMS', ['0', '100001']],
    ['ECT_MAX_HELD_MIB', ['31', '65537']],
    ['ECT_REQUEST_TIMEOUT_SEC', ['0', '61']],
    ['ECT_ANSWER_TIMEOUT_SEC', ['0', '601']],
    ['ECT_CALLER_WRITE_MIB_PER_HOUR', ['-1', '1048577', '1.5']],
    ['ECT_MIN_FREE_DISK_MIB', ['-1', '1048577', '5%']],
    ['ECT_LEDGER_SCRUB_PER_SEC', ['-1', '100001', '1.5']],
    ['ECT_ISSUER', ['ect', 'urn:', 'urn:a b', 'urn:ect:', 'https://example.com/', '1rn:a', `urn:${'a'.repeat(1021)}`]],
  ])('%s must not be any of %j', (key, values) => {
    for (const value of values) {
      const problems = problemsOf({ [key]: value });
      expect(problems, value).toHaveLength(1);
      expect(problems[0], value).toMatch(new RegExp(`^${key} must be .+\\.$`));
    }
  });

  test.each([
    ['ECT_LISTEN', '8080', 'the host is missing, as in 127.0.0.1:8080'],
    ['ECT_LISTEN', ':8080', 'the host is missing, as in 127.0.0.1:8080'],
    ['ECT_LISTEN', 'localhost', 'the port is missing'],
    ['ECT_LISTEN', 'localhost:', 'the port is missing'],
    ['ECT_LISTEN', '[::1]', 'the port is missing'],
    ['ECT_LISTEN', '127.0.0.1:65536', 'the port is not a number from 0 to 65535'],
    ['ECT_LISTEN', '127.0.0.1:http', 'the port is not a number from 0 to 65535'],
    ['ECT_LISTEN', '::1:8080', 'an IPv6 address needs brackets, as in [::1]:8080'],
    ['ECT_LISTEN', '2001:db8::1', 'an IPv6 address needs brackets, as in [::1]:8080'],
    ['ECT_LISTEN', '[127.0.0.1]:1', 'only an IPv6 address is written in brackets'],
    ['ECT_LISTEN', 'http://localhost:1', 'it is a URL: leave out the scheme and the slashes'],
    ['ECT_LISTEN', 'a b:1', 'the host is neither a name nor an address'],
    ['ECT_LISTEN', 'unix:ect.sock', 'the path is not absolute, as in unix:/run/ect/ect.sock'],
    ['ECT_LISTEN', 'unix:/run/', 'the path ends in a slash: name the socket itself'],
    ['ECT_LISTEN', `unix:/${'a'.repeat(103)}`, 'the path has more than 103 bytes, the most that every system takes'],
    ['ECT_PUBLIC_URL', 'ect.example', 'it does not begin with http:// or https://'],
    ['ECT_PUBLIC_URL', 'https://ect.example:x', 'the host or the port is not one'],
    ['ECT_PUBLIC_URL', 'https://ect.example/path', 'it has more than a host and a port'],
    ['ECT_POSTGRES_URL', 'mysql://a@b/c', 'it does not begin with postgres://'],
    ['ECT_POSTGRES_URL', 'postgres://b/c', 'the user is missing'],
    ['ECT_POSTGRES_URL', 'postgres://a@b', 'the database is missing'],
    ['ECT_POSTGRES_URL', 'postgres://a@b:x/c', 'a host or a port is not one'],
    ['ECT_REDIS_URL', 'localhost:6379', 'it does not begin with redis:// or rediss://'],
    ['ECT_REDIS_URL', 'redis://localhost/cache', 'the number of the database is not one'],
    ['ECT_ADMINS', 'spiffe://example.org/a,b', 'entry 2 of the list is wrong'],
  ])('a rule of several parts says which one the value breaks: %s=%s', (name, value, fault) => {
    const found = problemsOf({ [name]: value, ECT_STORE: name === 'ECT_POSTGRES_URL' ? 'postgres' : '' });
    const own = found.filter((problem) => problem.startsWith(`${name} must be `));
    expect(own.map((problem) => problem.endsWith(`: ${fault}.`))).toEqual([true]);
  });

  test.each(['urn:é', 'urn:ect:{dev}', 'urn:ect:"dev"', 'urn:ect:a|b', 'urn:ect:\\', 'urn:ect:🙂'])(
    'an issuer that no token may carry is rejected at the start, not at the first token: %s',
    (issuer) => {
      expect(problemsOf({ ECT_ISSUER: issuer })).toHaveLength(1);
    },
  );

  test('the algorithm that signs cannot be left out, and what can be configured is what can be verified', () => {
    expect(problemsOf({ ECT_ALGORITHMS: 'ES384,PS256' })).toEqual([
      'ECT_ALGORITHMS must have ES256, with which this service signs.',
    ]);
    const all = [...ALGORITHMS.keys()];
    expect(readConfig({ ECT_ALGORITHMS: all.join() }).token.algorithms).toEqual(all);
  });

  test('S4: a key in place of the path of its file is rejected, before its path is shown as missing', () => {
    const keys = ['ECT_LOCAL_KEY_FILE', 'ECT_TLS_KEY', 'ECT_TLS_CERT', 'ECT_TLS_CLIENT_CA', 'ECT_DATA_DIR'];
    const contents = [
      '-----BEGIN PRIVATE KEY-----\\ncanary',
      '-----BEGIN EC KEY-----\ncanary',
      ' {"kty":"EC","d":"canary"}',
    ];
    for (const key of keys) {
      for (const content of contents) {
        const problems = problemsOf({ ...CLIENT_TLS, [key]: content });
        expect(problems[0]).toBe(`${key} must be the path of a file or directory, not its content.`);
        expect(problems.join()).not.toContain('canary');
      }
    }
  });

  test('a setting that does not exist is rejected: a misspelled one would have no effect', () => {
    expect(problemsOf({ ECT_LISTENN: 'x', ECT_: 'x', ECT_data_dir: 'x', ECT_EMPTY: '' })).toEqual([
      'ECT_LISTENN is not a setting: did you mean ECT_LISTEN?',
      ...['ECT_', 'ECT_data_dir', 'ECT_EMPTY'].map((key) => `${key} is not a setting: see \`ect serve --help\`.`),
    ]);
  });

  test.each([
    ['ECT_PREDECESOR_POLICY', 'ECT_PREDECESSOR_POLICY'],
    ['ECT_LISTNE', 'ECT_LISTEN'],
    ['ECT_TLS_CLIENTCA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_MINIMUM_LEVELL', 'ECT_MINIMUM_LEVEL'],
    ['ECT_ADMIN', 'ECT_ADMINS'],
  ])('%s is answered with the setting that it is nearest to', (key, meant) => {
    expect(problemsOf({ [key]: 'x' })).toEqual([`${key} is not a setting: did you mean ${meant}?`]);
  });

  test.each([
    ['ECT_PORT', 'ECT_LISTEN'],
    ['ECT_HOST', 'ECT_LISTEN'],
    ['ECT_ADDR', 'ECT_LISTEN'],
    ['ECT_LISTEN_ADDRESS', 'ECT_LISTEN'],
    ['ECT_TLS_CA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_CLIENT_CA', 'ECT_TLS_CLIENT_CA'],
    ['ECT_TLS_KEY_FILE', 'ECT_TLS_KEY'],
    ['ECT_KEY_FILE', 'ECT_LOCAL_KEY_FILE'],
    ['ECT_DB', 'ECT_DATA_DIR'],
    ['ECT_LOGLEVEL', 'ECT_LOG_LEVEL'],
  ])('%s, as another program would call it, is answered with the setting of that meaning', (key, meant) => {
    expect(problemsOf({ [key]: 'x' })).toEqual([`${key} is not a setting: did you mean ${meant}?`]);
  });

  test('no name is answered with a setting of the client, which the service does not read', () => {
    for (const client of ['ECT_URL', 'ECT_CA', 'ECT_CERT', 'ECT_KEY']) {
      for (const letter of 'ABEKLRSTUXY_') {
        for (const key of [
          `${client}${letter}`,
          `${client.slice(0, -1)}${letter}`,
          `ECT_${letter}${client.slice(5)}`,
        ]) {
          if (['ECT_URL', 'ECT_CA', 'ECT_CERT', 'ECT_KEY'].includes(key)) continue;
          for (const problem of problemsOf({ [key]: 'x' }))
            expect(problem).not.toMatch(/mean ECT_(?:URL|CA|CERT|KEY)\?/);
        }
      }
    }
  });

  test('every other name of a setting leads to a setting that there is', () => {
    const settings = new Set(examineConfig({}).settings.map(({ name }) => name));
    for (const name of Object.keys(OTHER_NAMES)) expect(settings).toContain(name);
  });

  test('settings of the client beside a service in clear text are warned of, with those of the service', () => {
    const client = { ECT_CERT: 'c.pem', ECT_KEY: 'k.pem', ECT_CA: 'ca.pem', ECT_URL: 'https://ect.example' };
    const [warning, ...others] = clientSettingWarnings(client, readConfig(client));
    expect(others).toEqual([]);
    for (const pair of ['ECT_CERT (for the service: ECT_TLS_CERT)', 'ECT_KEY (for the service: ECT_TLS_KEY)']) {
      expect(warning).toContain(pair);
    }
    expect(warning).toContain('ECT_CA (for the service: ECT_TLS_CLIENT_CA)');
    expect(warning).not.toContain('c.pem');
    expect(clientSettingWarnings({ ECT_URL: 'x' }, readConfig({}))).toEqual([]);
    const both = { ...client, ECT_TLS_CERT: 'c', ECT_TLS_KEY: 'k' };
    expect(clientSettingWarnings(both, readConfig(both))).toEqual([]);
  });

  test('every mistake is reported at once', () => {
    const env = {
      ECT_LISTEN: 'nowhere',
      ECT_STORE: 'paper',
      ECT_SIGNER: 'pen',
      ECT_ISSUER: 'me',
      ECT_ALLOW_ANONYMOUS: 'maybe',
      ECT_TLS_CERT: '/c',
      ECT_LOG_LEVEL: 'loud',
      ECT_DEFAULT_EXPIRY_MIN: 'x',
      ECT_IAT_MAX_AGE_MINUTES: 'x',
      ECT_IAT_MAX_FUTURE_SEC: 'x',
      ECT_JTI_REPLAY_CACHE_SIZE: 'x',
      ECT_JTI_REPLAY_TTL_MIN: 'x',
      ECT_MISSPELLED: 'x',
    };
    const problems = problemsOf(env);
    expect(problems).toHaveLength(Object.keys(env).length);
    for (const key of Object.keys(env)) expect(problems.join('\n')).toContain(key);
    const message = new ConfigError(problems).message;
    expect(message).toMatch(/^The configuration has 13 mistakes:\n {2}/);
    for (const problem of problems) expect(message).toContain(problem);
  });

  test('one mistake is called one', () => {
    expect(() => readConfig({ ECT_STORE: 'paper' })).toThrow('The configuration has a mistake:\n  ECT_STORE must be');
  });

  test('S1: values are never shown, in whichever setting they are wrong', () => {
    const keys = ['LISTEN', 'STORE', 'SIGNER', 'ISSUER', 'ALLOW_ANONYMOUS', 'LOG_LEVEL', 'DEFAULT_EXPIRY_MIN'];
    keys.push('IAT_MAX_AGE_MINUTES', 'IAT_MAX_FUTURE_SEC', 'JTI_REPLAY_CACHE_SIZE', 'JTI_REPLAY_TTL_MIN');
    keys.push('TLS_CERT', 'TLS_KEY', 'TLS_CLIENT_CA', 'LOCAL_KEY_FILE', 'DATA_DIR', 'UNKNOWN');
    keys.push('DRAFTS', 'ALGORITHMS', 'UUIDS', 'TRUST_FILE');
    for (const key of keys) {
      const problems = problemsOf({ [`ECT_${key}`]: '{canary canary' });
      expect(problems.join(), key).toContain(`ECT_${key}`);
      expect(problems.join(), key).not.toContain('canary');
    }
  });
});
