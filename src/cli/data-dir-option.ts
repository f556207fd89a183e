// The options of commands that work on a data directory.

import { statSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fileFault } from '../files/system-faults.ts';
import { WrongUsage } from './exit.ts';

export interface DataDirOptions {
  readonly dataDir: string;
}

const MAX_NOTE_LENGTH = 256;

/** Adds `--data-dir`. */
export function withDataDir(command: Command): Command {
  return command.addOption(new Option('--data-dir <dir>', 'the data directory').env('ECT_DATA_DIR').default('./data'));
}

/** Rejects a path at which there is no directory to read: wrong usage, as for a file that is not there. */
export function demandDirectory(path: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch (cause) {
    throw new WrongUsage(fileFault(path, cause).replace('there is no file', 'there is no directory'), { cause });
  }
  if (!isDirectory) throw new WrongUsage(`${path} is not a directory`);
}

/** Adds `--note`, the text in the entry of an accepted loss. */
export function noteOption(): Option {
  return new Option('--note <text>', `why, for people: at most ${MAX_NOTE_LENGTH} characters`)
    .default('')
    .argParser((text: string) => {
      if (text.length > MAX_NOTE_LENGTH) throw new InvalidArgumentError(`At most ${MAX_NOTE_LENGTH} characters.`);
      return text;
    });
}
