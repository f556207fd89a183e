// Required options. The parser reports only the first one that is missing; this reports all at once.

import type { Command, Option } from 'commander';
import { WrongUsage } from './exit.ts';

/** Throws WrongUsage with all `flags` that were not given: `--exec-act`. */
export function demandOptions(command: Command, flags: readonly string[]): void {
  const options = command.options.filter(({ long }) => flags.includes(long ?? ''));
  const missing = options.filter((option) => isMissing(command, option)).map((option) => `'${option.flags}'`);
  if (missing.length === 0) return;
  throw new WrongUsage(`required ${missing.length === 1 ? 'option' : 'options'} not specified: ${missing.join(', ')}`);
}

function isMissing(command: Command, option: Option): boolean {
  return command.getOptionValue(option.attributeName()) === undefined;
}
