import { expect, test } from 'vitest';
import { examineConfig } from '../../src/config/index.ts';
import { ect } from './run.ts';

const COMMANDS = [
  'serve',
  'issue',
  'verify',
  'dag',
  'append',
  'entry',
  'checkpoint',
  'audit',
  'conformance',
  'keygen',
  'dev-ca',
];

test.each(COMMANDS)('the help of %s has an example and the exit codes, and exits with 0', async (command) => {
  const { code, out } = await ect([command, '--help']);
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`Examples:\\n  (\\S+=\\S+ )*ect ${command}`));
  expect(out).toMatch(/Exit codes:\n {2}0 {2}ok\n {2}1 {2}\S.*?\n {2}2 {2}wrong usage/s);
});

test.each(COMMANDS.filter((command) => !['serve', 'keygen', 'dev-ca'].includes(command)))(
  'the help of %s names the environment variables that reach a service',
  async (command) => {
    const { out } = await ect([command, '--help']);
    for (const variable of ['ECT_URL', 'ECT_CA', 'ECT_CERT', 'ECT_KEY', 'ECT_SERVER_ID'])
      expect(out).toContain(`  ${variable} `);
  },
);

test('the help of serve names every setting that the configuration reads, and no other, in lines that fit', async () => {
  const { out } = await ect(['serve', '--help']);
  const [, help = ''] = out.split('Settings, in the environment');
  const named = [...help.matchAll(/^ {2}([A-Z][A-Z0-9_]+)$/gm)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set(examineConfig({}).settings.map(({ name }) => name)));
  expect(help).toMatch(
    /^ {2}ECT_POSTGRES_POOL\n +connections of one process to the database \(2 to 200; default 8\)$/m,
  );
  expect(Math.max(...help.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
});

test.each([
  ['nothing at all', []],
  ['an unknown command', ['sign']],
  ['an unknown option', ['checkpoint', '--verbose']],
  ['two missing required options', ['issue']],
  ['a missing required option', ['issue', '--aud', 'urn:a']],
  ['a missing token', ['verify']],
  ['an address that is none', ['checkpoint', '--url', 'localhost:8080']],
  ['an address with a path', ['checkpoint', '--url', 'http://127.0.0.1/ect']],
  ['a duration without a unit', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--ttl', '10']],
  ['a lifetime of half a second', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--ttl', '500ms']],
  ['an unknown level', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--level', 'L4']],
  ['an unknown draft', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--draft', '02']],
  ['an entry that follows a token of level L2', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--async']],
  ['a moment without a zone', ['verify', 'token', '--as-of', '2026-03-01T12:00:00']],
  ['a replay that is both looked for and not', ['verify', 'token', '--observe', '--no-replay']],
  [
    'an input both as file and as hash',
    ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--input', 'f', '--inp-hash', 'h'],
  ],
  ['an input file that is not there', ['issue', '--exec-act', 'a', '--aud', 'urn:a', '--input', '/nowhere/input']],
  ['a token file that is not there', ['append', '@/nowhere/token']],
  ['a graph that is not named', ['dag']],
  ['a graph that is named twice', ['dag', '--wid', 'w', '--token', 't']],
  ['two drawings at once', ['dag', '--wid', 'w', '--mermaid', '--dot']],
  ['an entry that is not named', ['entry']],
  ['an entry that is named twice', ['entry', '--jti', 'j', '--index', '1']],
  ['a negative index', ['entry', '--index', '-1']],
  ['a receipt without the key that it is checked with', ['verify', 'token', '--receipt', 'r.tlog-proof']],
  ['a certificate without its key', ['checkpoint', '--url', 'https://127.0.0.1:1', '--cert', '/dev/null']],
  ['a certificate for an address without TLS', ['checkpoint', '--url', 'http://127.0.0.1:1', '--ca', '/dev/null']],
  ['a CA file that is not there', ['checkpoint', '--url', 'https://127.0.0.1:1', '--ca', '/nowhere/ca']],
  ['a data directory without --key', ['checkpoint', '--data-dir', '/nowhere']],
  ['an audit of a file that is not there', ['audit', '/nowhere/ledger.db']],
  ['an audit of two things', ['audit', '/dev/null', '--url', 'http://127.0.0.1:1']],
  ['a key without a file', ['keygen']],
])('wrong usage exits with 2, says why and where to read what is right, and prints no result: %s', async (_, argv) => {
  const { code, out, err } = await ect(argv);
  expect(code).toBe(2);
  expect(out).toBe('');
  // Whether the parser found it or the command itself.
  if (argv.length > 0)
    expect(err).toMatch(
      /^error: .*\n(?:.*\n)*`ect help(?: [a-z]+)*` (?:shows what it takes|lists the commands; .*)\.\n$/,
    );
  expect(err).not.toMatch(/^ +at /m);
});

test('every required option that is missing is named, not the first alone', async () => {
  const { code, err } = await ect(['issue']);
  expect(code).toBe(2);
  expect(err).toBe(
    "error: required options not specified: '--exec-act <name>', '--aud <uri...>'\n`ect help issue` shows what it takes.\n",
  );
});
