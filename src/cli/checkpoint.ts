// `ect checkpoint`: prints the checkpoint of the ledger, or the key that verifies it.

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { GetCheckpointResponseSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { readIdentity, withLedgerFile } from './ledger-file.ts';
import { type Io, type OutputOptions, plain, print, printJson, printMessage, withOutput } from './output.ts';

interface CheckpointOptions extends ServiceOptions, OutputOptions {
  readonly key?: true;
  readonly dataDir?: string;
}

export function checkpointCommand(io: Io): Command {
  const command = new Command('checkpoint')
    .description('print the current checkpoint: the signed size and root of the ledger')
    .option('--key', 'print only the verifier key of the ledger; keep it, and check receipts with it')
    .addOption(new Option('--data-dir <dir>', 'with --key: read it from this data directory, without a service'));
  withHelp(withOutput(withService(command), 'with --key the member verifierKey'), {
    examples: ['ect checkpoint', 'ect checkpoint --key > ledger.vkey', 'ect checkpoint --key --data-dir ./data'],
    rejected: 'the service could not be reached, or the directory holds no ledger',
  });
  return command.action((options: CheckpointOptions) =>
    options.dataDir === undefined ? fromService(io, options) : fromDirectory(io, options, options.dataDir),
  );
}

function fromService(io: Io, options: CheckpointOptions): Promise<void> {
  return attemptCalls(io, options, async ({ ledger }) => {
    const response = await ledger.getCheckpoint({});
    if (options.key) printKey(io, options, response.verifierKey);
    else if (options.json) printMessage(io, GetCheckpointResponseSchema, response);
    else printNote(io, response.checkpoint);
  });
}

function fromDirectory(io: Io, options: CheckpointOptions, directory: string): Promise<void> {
  return attempt(io, options, async () => {
    if (!options.key) throw new WrongUsage('--data-dir goes with --key');
    const path = join(directory, 'ledger.db');
    printKey(io, options, await withLedgerFile(path, (store) => readIdentity(store, path)));
  });
}

function printKey(io: Io, options: OutputOptions, verifierKey: string): void {
  if (options.json) printJson(io, { verifierKey });
  else print(io, plain(verifierKey));
}

/** Prints the note byte for byte, so that it can be piped. Control characters are escaped; a genuine note has none. */
function printNote(io: Io, note: string): void {
  for (const line of note.replace(/\n$/, '').split('\n')) print(io, plain(line));
}
