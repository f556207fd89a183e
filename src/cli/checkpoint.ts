// `ect checkpoint`: prints the checkpoint of the ledger, or the key that verifies it.

import { join } from 'node:path';
import { Command, Option } from 'commander';
import { GetCheckpointResponseSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { readIdentity, withLedgerFile } from './ledger-file.ts';
import { writeNewFile } from './new-file.ts';
import { type Io, type OutputOptions, plain, print, printJson, printMessage, remark, withOutput } from './output.ts';

interface CheckpointOptions extends ServiceOptions, OutputOptions {
  readonly key?: true;
  readonly dataDir?: string;
  readonly out?: string;
}

export function checkpointCommand(io: Io): Command {
  const command = new Command('checkpoint')
    .description('print the current checkpoint: the signed size and root of the ledger')
    .option('--key', 'print only the verifier key of the ledger; keep it, and check receipts with it')
    .addOption(new Option('--data-dir <dir>', 'with --key: read it from this data directory, without a service'))
    .option('--out <file>', 'with --key: write it into this new file; an existing one is never touched');
  withHelp(withOutput(withService(command), 'with --key the member verifierKey'), {
    examples: ['ect checkpoint', 'ect checkpoint --key --out ledger.vkey', 'ect checkpoint --key --data-dir ./data'],
    rejected: 'the service could not be reached, or the directory holds no ledger',
  });
  return command.action((options: CheckpointOptions) =>
    options.dataDir === undefined ? fromService(io, options) : fromDirectory(io, options, options.dataDir),
  );
}

function fromService(io: Io, options: CheckpointOptions): Promise<void> {
  return attemptCalls(io, options, async ({ ledger }) => {
    if (options.out !== undefined && !options.key) throw new WrongUsage('--out goes with --key');
    const response = await ledger.getCheckpoint({});
    if (options.key) await giveKey(io, options, response.verifierKey);
    else if (options.json) printMessage(io, GetCheckpointResponseSchema, response);
    else printNote(io, response.checkpoint);
  });
}

function fromDirectory(io: Io, options: CheckpointOptions, directory: string): Promise<void> {
  return attempt(io, options, async () => {
    if (!options.key) throw new WrongUsage('--data-dir goes with --key');
    const path = join(directory, 'ledger.db');
    await giveKey(io, options, await withLedgerFile(path, ({ store }) => readIdentity(store, path)));
  });
}

/** Prints the key, or writes it. A key that was kept is what later audits rely on, so it is not overwritten. */
async function giveKey(io: Io, options: CheckpointOptions, verifierKey: string): Promise<void> {
  if (options.out !== undefined) {
    await writeNewFile(options.out, `${verifierKey}\n`, 'Name another file with --out.', 0o644);
    remark(io, `verifier key: ${options.out}`);
  }
  if (options.json) printJson(io, { verifierKey });
  else if (options.out === undefined) print(io, plain(verifierKey));
}

/** Prints the note byte for byte, so that it can be piped. Control characters are escaped; a genuine note has none. */
function printNote(io: Io, note: string): void {
  for (const line of note.replace(/\n$/, '').split('\n')) print(io, plain(line));
}
