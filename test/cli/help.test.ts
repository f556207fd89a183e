// What the program says about itself: its version, its help at any depth, and the completion of its commands.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { leaves } from './leaves.ts';
import { ect } from './run.ts';

const exec = promisify(execFile);

test.each(['--version', '-V'])('%s prints the version of the package and exits with 0', async (option) => {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await ect([option])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
});

describe('help', () => {
  test.each([
    [['help', 'keys', 'rotate'], /^Usage: ect keys rotate .*--urgent.*Exit codes:/s],
    [['help', 'keys', 'revoke'], /^Usage: ect keys revoke .*--since.*--yes/s],
    [['keys', 'help', 'rotate'], /^Usage: ect keys rotate .*--urgent/s],
    [['help', 'keys'], /^Usage: ect keys .*rotate.*revoke/s],
    [['help', 'list', 'workflows'], /^Usage: ect list workflows .*--since/s],
    [['help'], /^Usage: ect .*Commands:.*completion/s],
  ])('%j shows the page of that command', async (argv, page) => {
    const { code, out, err } = await ect(argv);
    expect(out).toMatch(page);
    expect([code, err]).toEqual([0, '']);
  });

  test('an unknown command is wrong usage, and the existing commands are listed', async () => {
    const { code, err } = await ect(['help', 'keys', 'turn']);
    expect(code).toBe(2);
    expect(err).toContain("ect keys has no command 'turn'. It has: list, rotate, retire, revoke.");
    expect((await ect(['help', 'issue', 'now'])).err).toContain('See `ect issue --help`.');
  });

  test('a misspelt command leads to the one that was meant, after help as without it', async () => {
    for (const argv of [['help', 'isue'], ['isue']]) expect((await ect(argv)).err).toMatch(/Did you mean issue\?/);
    for (const argv of [
      ['help', 'keys', 'rotat'],
      ['keys', 'rotat'],
    ]) {
      expect((await ect(argv)).err).toMatch(/Did you mean rotate\?/);
    }
  });
});

test.each([
  [['isue'], '`ect help` lists the commands; options follow their command.'],
  [['--nonsense'], '`ect help` lists the commands; options follow their command.'],
  [['issue', '--nonsense'], '`ect help issue` shows what it takes.'],
  [['keys', 'rotat'], '`ect help keys` shows what it takes.'],
  [['keys', 'rotate', '--nonsense'], '`ect help keys rotate` shows what it takes.'],
])('%j is wrong usage, and the message ends with how to get help', async (argv, hint) => {
  const { code, out, err } = await ect(argv);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^error: unknown (?:command|option)/);
  expect(err.endsWith(`\n${hint}\n`)).toBe(true);
});

describe('completion', () => {
  /** What bash offers for a command line whose last word is being typed. */
  async function offered(...words: string[]): Promise<readonly string[]> {
    const { out } = await ect(['completion', 'bash']);
    const line = words.map((word) => `'${word}'`).join(' ');
    // Inside a completion this would have bash offer files.
    const script = `compopt() { echo FILES; }\n${out}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _ect; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await exec('bash', ['-c', script]);
    return stdout.split('\n').filter((word) => word !== '');
  }

  test('bash completes commands, their own commands, their options, and the choices of an option', async () => {
    expect(await offered('ect', 'ver')).toEqual(['verify']);
    expect(await offered('ect', 'keys', 'r')).toEqual(['rotate', 'retire', 'revoke']);
    expect(await offered('ect', 'keys', 'rotate', '--u')).toEqual(['--urgent', '--url']);
    expect(await offered('ect', 'issue', '--exec-act', 'keys', '--level', '')).toEqual(['L1', 'L2', 'L3']);
    expect(await offered('ect', 'completion', 'bash', '--h')).toEqual(['--help']);
  });

  test('bash offers files where a file may stand, and nowhere else', async () => {
    for (const words of [
      ['verify', '--receipt', ''],
      ['checkpoint', '--data-dir', ''],
      ['audit', 'led'],
      ['backup', 'back'],
      ['restore', 'back'],
    ]) {
      expect(await offered('ect', ...words)).toEqual(['FILES']);
    }
    for (const words of [
      ['checkpoint', '--url', ''],
      ['issue', '--aud', ''],
      ['issue', '--ttl', ''],
      ['verify', '--receipt', 'r', '--audience', ''],
      ['keys', 'retire', 'x'],
    ]) {
      expect(await offered('ect', ...words)).toEqual([]);
    }
  });

  test('bash completes what an argument may be: shells, and the commands that there is help for', async () => {
    expect(await offered('ect', 'he')).toEqual(['help']);
    expect(await offered('ect', 'help', 'ver')).toEqual(['verify']);
    expect(await offered('ect', 'completion', '')).toEqual(['bash', 'zsh', 'fish', '--help']);
    for (const shell of ['zsh', 'fish']) expect((await ect(['completion', shell])).out).toMatch(/\bhelp\b/);
  });

  test.each(['bash', 'zsh', 'fish'])('the script for %s knows every command and option', async (shell) => {
    const { code, out } = await ect(['completion', shell]);
    expect(code).toBe(0);
    for (const word of ['issue', 'audit', 'revoke', 'workflows', 'urgent', 'minimum-level', 'ledger-key', 'L3']) {
      expect(out).toContain(word);
    }
  });

  test('another shell is wrong usage', async () => {
    const { code, err } = await ect(['completion', 'tcsh']);
    expect(code).toBe(2);
    expect(err).toContain('bash, zsh, fish');
  });
});

describe('exit codes', () => {
  test('0 is ok, 1 is no, 2 is wrong usage: of every command, and of the program', async () => {
    const commands = await leaves();
    expect(commands.length).toBeGreaterThan(30);
    for (const words of commands) {
      const { code, out } = await ect(['help', ...words]);
      expect(code, words.join(' ')).toBe(0);
      const codes = [...(out.split('\nExit codes:\n')[1] ?? '').matchAll(/^ {2}(\d) {2}(\S.*)$/gm)];
      expect(codes.map(([, number]) => number).join(), words.join(' ')).toMatch(/^0,(?:1,)?2(?:,3)?$/);
      expect(codes[0]?.[2]).toBe('ok');
      expect(codes.find(([, number]) => number === '2')?.[2], words.join(' ')).toContain('wrong usage');
      expect((await ect([...words, '--no-such-option'])).code, words.join(' ')).toBe(2);
      expect((await ect([...words, '--help'])).code, words.join(' ')).toBe(0);
    }
    expect((await ect(['--help'])).out).toMatch(/\nExit codes:\n {2}0 {2}ok.*\n {2}1 {2}.*no.*\n {2}2 {2}wrong usage/);
  });

  test('what a command cannot do without is wrong usage, before anything is done', async () => {
    const missing = [
      ['issue'],
      ['verify'],
      ['append'],
      ['keygen'],
      ['dev-ca'],
      ['policy', 'check'],
      ['policy', 'explain'],
    ];
    for (const words of [
      ...missing,
      ['keys', 'retire'],
      ['ledger', 'copy', './data'],
      ['backup'],
      ['restore'],
      ['entry'],
    ]) {
      expect((await ect(words)).code, words.join(' ')).toBe(2);
    }
  });

  test('a service that cannot be reached is 1, for every command that calls one', async () => {
    const url = ['--url', 'http://127.0.0.1:1'];
    const calls = [
      ['authority'],
      ['checkpoint'],
      ['keys', 'list'],
      ['list', 'entries'],
      ['list', 'workflows'],
      ['dag', '--wid', 'a'],
      ['entry', '--index', '0'],
      ['append', 'a'],
      ['verify', 'a'],
      ['issue', '--exec-act', 'a', '--aud', 'b'],
      ['audit'],
    ];
    for (const words of calls) {
      const { code, err } = await ect([...words, ...url]);
      expect(code, words.join(' ')).toBe(1);
      expect(err, words.join(' ')).toContain('unreachable');
    }
  });
});

describe('--json', () => {
  test('the help of each command says what it prints: a response of the API, or members of its own', async () => {
    for (const words of await leaves()) {
      const { out } = await ect(['help', ...words]);
      const calls = out.includes('ECT_URL');
      const said = /\n {2}--json +(.*?)\n {2}-/s.exec(out)?.[1]?.replace(/\s+/g, ' ');
      if (said === undefined) continue;
      if (!calls) expect(said, words.join(' ')).toMatch(/^print JSON with the members /);
      else expect(said, words.join(' ')).toMatch(/^print JSON(?:: the response of the API| with the members )/);
    }
  });

  test('the members that it says are those that it prints', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-json-help-'));
    const policy = join(import.meta.dirname, '../../policy/examples/gateway.cedar');
    const commands = [
      [['policy', 'check'], [policy]],
      [
        ['policy', 'test'],
        [policy, policy.replace('.cedar', '.cases.json')],
      ],
      [
        ['policy', 'explain'],
        [policy, '--caller', 'anonymous', '--action', 'Verify'],
      ],
      [['config', 'check'], []],
      [['dev-ca'], [join(folder, 'certs')]],
      [['keygen'], ['--out', join(folder, 'key.pem')]],
      [['keygen'], ['--out', join(folder, 'ledger.key'), '--ledger', 'a.example/ect']],
    ] as const;
    for (const [words, args] of commands) {
      const said = (await ect(['help', ...words])).out.replace(/\s+/g, ' ');
      const { out } = await ect([...words, ...args, '--json']);
      for (const member of Object.keys(JSON.parse(out)))
        expect(said, words.join(' ')).toMatch(new RegExp(`[ ,]${member}[ ,]`));
    }
    await rm(folder, { recursive: true });
  });
});
