// What cannot be undone is asked for twice: by a question on a terminal, or by --yes where there is none.

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { Rejected, WrongUsage } from './exit.ts';
import { type Io, plain } from './output.ts';

export interface ConfirmOptions {
  readonly yes?: true;
}

/** Adds `--yes`. */
export function withConfirmation(command: Command): Command {
  return command.option('-y, --yes', 'do not ask for confirmation; required without a terminal');
}

/**
 * Returns where the caller means it. `consequence` says in one sentence what happens; `isFinal`: it cannot be undone. WrongUsage
 * without a terminal and without --yes, so that a script says it on purpose.
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
