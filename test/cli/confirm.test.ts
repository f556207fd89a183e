// What cannot be undone is asked for twice.

import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { confirm } from '../../src/cli/confirm.ts';
import { Rejected, WrongUsage } from '../../src/cli/exit.ts';
import type { Io } from '../../src/cli/output.ts';
import { ect } from './run.ts';

const NOWHERE = ['--url', 'http://127.0.0.1:1'];
const KID = 'x'.repeat(43);

describe('without a terminal', () => {
  test.each([
    ['keys retire', ['keys', 'retire', KID]],
    ['keys revoke', ['keys', 'revoke', KID]],
    ['taint', ['taint', '--kid', KID]],
  ])('%s calls nobody before --yes is said', async (_, argv) => {
    const { code, out, err } = await ect([...argv, ...NOWHERE]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/cannot be undone: repeat the command with --yes/);
    // With it, the service is called: nothing answers at this address.
    expect((await ect([...argv, '--yes', ...NOWHERE])).err).toContain('✗ unreachable');
  });

  test('what can be undone is not asked for', async () => {
    expect((await ect(['keys', 'rotate', ...NOWHERE])).err).toContain('✗ unreachable');
  });
});

describe('on a terminal', () => {
  async function answer(line: string): Promise<{ readonly asked: string; readonly outcome: unknown }> {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const io: Io = { stdin, stdout, stderr };
    const asked = text(stderr);
    stdin.write(`${line}\n`);
    const outcome = await confirm(io, {}, 'The key will never sign again.').catch((error: unknown) => error);
    stderr.end();
    return { asked: await asked, outcome };
  }

  test('the question states the consequence, and only yes continues', async () => {
    const { asked, outcome } = await answer('yes');
    expect(asked).toContain('The key will never sign again. This cannot be undone. Type yes to go on:');
    expect(outcome).toBeUndefined();
  });

  test.each(['', 'y', 'no', 'yes please'])('"%s" changes nothing', async (line) => {
    const { outcome } = await answer(line);
    expect(outcome).toBeInstanceOf(Rejected);
    expect(outcome).not.toBeInstanceOf(WrongUsage);
  });
});
