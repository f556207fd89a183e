// Key ids that look like options, on the command line.

import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { withKid } from '../../src/cli/kid-argument.ts';

/** The arguments and options that a command line of `keys retire` comes to. */
async function read(line: readonly string[]): Promise<unknown> {
  let read: unknown;
  const leaf = withKid(new Command('retire'))
    .option('--note <text>')
    .option('--json')
    .action((kid: string, options: unknown) => {
      read = { kid, options };
    });
  const keys = new Command('keys').addCommand(leaf);
  const program = new Command('ect').addCommand(keys);
  for (const command of [program, keys, leaf]) command.exitOverride().configureOutput({ writeErr: () => undefined });
  await program.parseAsync(['keys', 'retire', ...line], { from: 'user' });
  return read;
}

const KIDS = ['-', '--', '-h', '-7', '---', '-n'].map((start) => start.padEnd(43, 'x'));

describe('a key id that begins with a dash', () => {
  test.for(KIDS)('%s is the argument wherever it stands', async (kid) => {
    const options = { note: 'n', json: true };
    expect(await read([kid])).toEqual({ kid, options: {} });
    expect(await read([kid, '--note', 'n', '--json'])).toEqual({ kid, options });
    expect(await read(['--note', 'n', kid, '--json'])).toEqual({ kid, options });
    expect(await read(['--json', '--note=n', kid])).toEqual({ kid, options });
    expect(await read(['--json', '--note', 'n', '--', kid])).toEqual({ kid, options });
  });

  test.for(KIDS)('%s is the value of an option that stands before it', async (kid) => {
    expect(await read(['--note', kid, 'other'])).toEqual({ kid: 'other', options: { note: kid } });
    expect(await read(['--note', kid, kid])).toEqual({ kid, options: { note: kid } });
  });

  test('what is shorter or longer is an unknown option, and two are too many', async () => {
    await expect(read(['-'.padEnd(42, 'x')])).rejects.toMatchObject({ code: 'commander.unknownOption' });
    await expect(read(['-'.padEnd(44, 'x')])).rejects.toMatchObject({ code: 'commander.unknownOption' });
    await expect(read([KIDS[0]!, KIDS[1]!])).rejects.toMatchObject({ code: 'commander.excessArguments' });
  });
});
