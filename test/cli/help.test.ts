// What the program says about itself: its version, its help at any depth, and the completion of its commands.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
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
    const { code, err } = await ect(['help', 'keys', 'rotat']);
    expect(code).toBe(2);
    expect(err).toContain("ect keys has no command 'rotat'. It has: list, rotate, retire, revoke.");
    expect((await ect(['help', 'issue', 'now'])).err).toContain('See `ect issue --help`.');
  });
});

test.each([
  [['isue'], '`ect help` lists the commands.'],
  [['--nonsense'], '`ect help` lists the commands.'],
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
