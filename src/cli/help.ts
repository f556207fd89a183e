// The end of every help page: an example to copy, the environment variables, and what the exit codes mean.

import type { Command } from 'commander';

interface HelpPage {
  readonly examples: readonly string[];
  /** What exit code 1 means for this command; undefined: it cannot end with that. */
  readonly rejected?: string;
  /** What exit code 2 means, where it is more than a wrong command line. */
  readonly wrong?: string;
  /** What exit code 3 means, where there is one. */
  readonly restart?: string;
}

/** Completes the help page of a command. Call it last: it lists the variables of the options that were added. */
export function withHelp(command: Command, page: HelpPage): Command {
  const variables = command.options.flatMap((option) => (option.envVar === undefined ? [] : [option]));
  const lines = ['', 'Examples:', ...page.examples.map((example) => `  ${example}`)];
  if (variables.length > 0) {
    const width = Math.max(...variables.map(({ envVar = '' }) => envVar.length));
    lines.push('', 'Environment:', ...variables.map(({ envVar = '', long }) => `  ${envVar.padEnd(width)}  ${long}`));
  }
  lines.push('', 'Exit codes:', '  0  ok');
  if (page.rejected !== undefined) lines.push(`  1  ${page.rejected}`);
  lines.push(`  2  ${page.wrong ?? 'wrong usage'}`);
  if (page.restart !== undefined) lines.push(`  3  ${page.restart}`);
  return command.addHelpText('after', lines.join('\n'));
}
