import { describe, expect, test } from 'vitest';
import { readConfigFile } from '../../src/config/file.ts';
import { examineConfig, readConfig } from '../../src/config/index.ts';

const read = (text: string) => readConfigFile('ect.yaml', text);

function problemsOf(text: string): readonly string[] {
  return examineConfig({}, read(text)).problems;
}

describe('a configuration file', () => {
  test('has the settings of the environment, under the same names', () => {
    const file = read('# who\nECT_ISSUER: urn:example:mine\nECT_POSTGRES_POOL:\nECT_LISTEN: "127.0.0.1:0"\n');
    expect(readConfig({}, file)).toEqual(readConfig({ ECT_ISSUER: 'urn:example:mine', ECT_LISTEN: '127.0.0.1:0' }));
  });

  test('gives way to the environment, where that is not empty', () => {
    const file = read('ECT_MAX_STREAMS: 7\nECT_LOG_LEVEL: warn\nECT_STORE: memory\n');
    const { config, settings } = examineConfig({ ECT_MAX_STREAMS: '8', ECT_LOG_LEVEL: '' }, file);
    expect(config).toMatchObject({ limits: { streams: 8 }, logLevel: 'warn', store: 'memory' });
    const sources = Object.fromEntries(settings.map(({ name, source }) => [name, source]));
    expect(sources).toMatchObject({ ECT_MAX_STREAMS: 'environment', ECT_LOG_LEVEL: 'file', ECT_ISSUER: 'default' });
  });

  test('holds texts alone: 00 is no number, and off no boolean', () => {
    const { config, problems } = examineConfig({}, read('ECT_DRAFTS: 00\nECT_PREDECESSOR_POLICY: off\n'));
    expect(problems).toEqual([]);
    expect(config).toMatchObject({ token: { drafts: ['00'] }, graph: { predecessorPolicy: false } });
    expect(problemsOf('ECT_MAX_STREAMS: 0x10\n')).toHaveLength(1);
  });

  test('may fold a long list, and may be JSON', () => {
    const long = 'ECT_REVIEW_ACTIONS: >-\n  look,\n  look again\n';
    for (const text of [long, '{"ECT_REVIEW_ACTIONS": "look,look again"}']) {
      expect(readConfig({}, read(text)).graph.reviewActions, text).toEqual(['look', 'look again']);
    }
  });

  test.each(['', '# nothing\n', '{}'])('may be empty: %j', (text) => {
    expect(readConfig({}, read(text))).toEqual(readConfig({}));
  });
});

describe('S10: mistakes in a configuration file', () => {
  test('a value that violates its rule is reported with its line', () => {
    expect(problemsOf('ECT_LISTEN: 127.0.0.1:0\nECT_STORE: canary\n')).toEqual([
      'ect.yaml:2: ECT_STORE must be sqlite or postgres or memory.',
    ]);
  });

  test('an unknown key is reported with its line, and with the setting that was probably meant', () => {
    const text = 'ECT_LISTNE: a\nlisten: a\ntls-cert: a\nECT_URL: a\nECT_CONFIG: a\nblue: a\n';
    expect(problemsOf(text)).toEqual([
      'ect.yaml:1: ECT_LISTNE is not a setting: did you mean ECT_LISTEN?',
      'ect.yaml:2: listen is not a setting: did you mean ECT_LISTEN?',
      'ect.yaml:3: tls-cert is not a setting: did you mean ECT_TLS_CERT?',
      'ect.yaml:4: ECT_URL is a setting of the command line client, which reads the environment alone.',
      'ect.yaml:5: ECT_CONFIG is for the environment: a file names no other.',
      'ect.yaml:6: blue is not a setting: names begin with ECT_, see `ect serve --help`.',
    ]);
  });

  test('one mistake hides no other: a key that occurs twice, unknown keys, values that break their rules', () => {
    const text = 'ECT_STORE: memory\nECT_STORE: sqlite\nECT_LISTNE: a\nECT_HTTP2: 3\nECT_ADMINS: [a]\nECT_ADMINS: b\n';
    expect(problemsOf(text).toSorted()).toEqual([
      'ect.yaml:2: ECT_STORE occurs twice: remove one.',
      'ect.yaml:3: ECT_LISTNE is not a setting: did you mean ECT_LISTEN?',
      'ect.yaml:4: ECT_HTTP2 must be engine or node.',
      'ect.yaml:5: ECT_ADMINS must be a text; entries of a list are separated by commas.',
      'ect.yaml:6: ECT_ADMINS occurs twice: remove one.',
    ]);
  });

  test('S1 a secret stands in a file of its own', () => {
    const text = [
      'ECT_LOCAL_KEY_FILE: key.pem',
      'ECT_LOCAL_KEY_PASSPHRASE: canary',
      'ECT_STORE: postgres',
      'ECT_LEDGER_KEY_FILE: ledger.key',
      'ECT_POSTGRES_URL: postgres://ada:canary@127.0.0.1/ect',
      'ECT_REPLAY: redis',
      'ECT_REDIS_URL: redis://:canary@127.0.0.1/0',
    ].join('\n');
    expect(problemsOf(text)).toEqual([
      'ect.yaml:2: ECT_LOCAL_KEY_PASSPHRASE has a secret in it: put that into a file, and name it in ECT_LOCAL_KEY_PASSPHRASE_FILE.',
      'ect.yaml:5: ECT_POSTGRES_URL has a secret in it: put that into a file, and name it in ECT_POSTGRES_PASSWORD_FILE.',
      'ect.yaml:7: ECT_REDIS_URL has a secret in it: put that into a file, and name it in ECT_REDIS_PASSWORD_FILE.',
    ]);
    expect(problemsOf(text.replaceAll(':canary@', '@').replace(/.*PASSPHRASE.*\n/, ''))).toEqual([]);
  });

  test.each([
    ['an alias', 'ECT_ISSUER: &a urn:a:b\nECT_LEDGER_AUDIENCE: *a\n', 2, 'ECT_LEDGER_AUDIENCE is an alias (`*`)'],
    ['a merge key', '<<: {ECT_STORE: memory}\n', 1, 'a key that cannot be the name of a setting'],
    ['a list', 'ECT_ADMINS: [canary]\n', 1, 'ECT_ADMINS must be a text; entries of a list are separated by commas.'],
    ['a mapping', 'ECT_TLS_CERT:\n  canary: 1\n', 1, 'ECT_TLS_CERT must be a text'],
    ['a tag', 'ECT_STORE: !!binary canary\n', 1, 'ECT_STORE has a tag (`!`), which is not allowed.'],
    ['a key that is there twice', 'ECT_STORE: memory\nECT_STORE: memory\n', 2, 'ECT_STORE occurs twice: remove one.'],
    ['a second document', 'ECT_STORE: memory\n---\ncanary: 1\n', 2, 'the file must have one document'],
    ['a tab', 'ECT_TLS_CERT:\n\tcanary: 1\n', 2, 'this line is indented with a tab'],
    ['an open quote', 'ECT_ISSUER: "canary\n', 2, 'this is not YAML.'],
    ['a key in PEM', 'ECT_TLS_KEY: -----BEGIN PRIVATE KEY-----\ncanary\n', 2, 'this is not YAML.'],
    ['a text that lost its key', 'canary+canary/=: x\n', 1, 'a key that cannot be the name of a setting'],
  ])('%s is rejected with its line, and nothing of its text is shown', (_, text, line, problem) => {
    const problems = problemsOf(text);
    expect(problems).toEqual([expect.stringContaining(`ect.yaml:${line}: ${problem}`)]);
    expect(problems.join()).not.toContain('canary');
  });

  test('what is no mapping is rejected', () => {
    const problem = 'ect.yaml must be a mapping of settings, such as `ECT_LISTEN: 127.0.0.1:8080`.';
    for (const text of ['- canary', 'canary']) expect(problemsOf(text)).toEqual([problem]);
  });

  test('no nesting is too deep to be reported', () => {
    expect(problemsOf(`ECT_ADMINS: ${'['.repeat(60_000)}`)).toEqual(['ect.yaml:1: this is not YAML.']);
  });
});
