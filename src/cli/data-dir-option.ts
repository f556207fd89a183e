// The options of commands that work on a data directory.

import { type Command, InvalidArgumentError, Option } from 'commander';

export interface DataDirOptions {
  readonly dataDir: string;
}

const MAX_NOTE_LENGTH = 256;

/** Adds `--data-dir`. */
export function withDataDir(command: Command): Command {
  return command.addOption(new Option('--data-dir <dir>', 'the data directory').env('ECT_DATA_DIR').default('./data'));
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
