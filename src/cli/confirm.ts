// Asks for confirmation before a step that cannot be undone: on a terminal by a question, otherwise the command needs --yes.

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { Rejected, WrongUsage } from './exit.ts';
import { type Io, plain } from './output.ts';

export interface ConfirmOptions {
  readonly yes?: true;
}

/** Adds `--yes`. `where`: where the command asks. */
export function withConfirmation(command: Command, where = ''): Command {
  return command.option('-y, --yes', `do not ask for confirmation; required without a terminal${where}`);
}

/**
 * Returns if the user confirms. `consequence` is one sentence about what will happen; `isFinal`: it cannot be undone. Throws WrongUsage
 * without a terminal and without --yes, so that a script must confirm explicitly.
 */
export async function confirm(io: Io, { yes }: ConfirmOptions, consequence: string, isFinal = true): Promise<void> {
  if (yes) return;
  const asked = isFinal ? `${consequence} This cannot be undone` : `${consequence} They can be put back by hand`;
  if (!('isTTY' in io.stdin) || !io.stdin.isTTY) {
    throw new WrongUsage(`${asked}: repeat the command with --yes to confirm.`);
  }
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await terminal.question(`${plain(asked)}. Type yes to go on: `);
    if (answer.trim().toLowerCase() === 'yes') return;
  } finally {
    terminal.close();
  }
  throw new Rejected({ reason: 'not_confirmed', message: 'nothing was changed', remedy: '', metadata: {} });
}
