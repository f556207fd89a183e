// `ect ledger`: works on a whole ledger while no service uses it: copies it into another store, or continues it after its history was
// lost.

import { Command, Option } from 'commander';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { type DataDirOptions, demandDirectory, noteOption, withDataDir } from './data-dir-option.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { type LedgerCopier, ledgerCopyCommand } from './ledger-copy.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';
import { ledgerOrigin } from './values.ts';

/** A new ledger. */
export interface NewOriginFacts {
  readonly origin: string;
  readonly verifierKey: string;
  /** The directory to which the previous ledger and its key were moved. */
  readonly keptIn: string;
}

/** The accepted loss that the ledger now states. */
export interface AcceptedLossFacts {
  /** The index of the entry that states it, which is the number of entries before it. */
  readonly index: number;
  /** The number of entries that had been published. */
  readonly shownSize: number;
  readonly verifierKey: string;
}

/** The operations on the files. They are a parameter, because only the process itself may compose them. */
export interface LedgerRecovery {
  /** Rejected if nothing is missing or damaged, unless `endsIntact`. */
  newOrigin(dataDir: string, origin: string | undefined, endsIntact: boolean): Promise<NewOriginFacts>;
  acceptLoss(dataDir: string, note: string): Promise<AcceptedLossFacts>;
}

interface DirectoryOptions extends OutputOptions, ConfirmOptions, DataDirOptions {}

interface NewOriginOptions {
  readonly origin?: string;
  readonly endIntactLedger?: true;
}

export function ledgerCommand(io: Io, recovery: LedgerRecovery, copier: LedgerCopier): Command {
  return new Command('ledger')
    .description(
      'copy a ledger into another store, or go on after its history was lost (while no service runs over it)',
    )
    .addCommand(ledgerCopyCommand(io, copier))
    .addCommand(newOriginCommand(io, recovery))
    .addCommand(acceptLossCommand(io, recovery));
}

function newOriginCommand(io: Io, { newOrigin }: LedgerRecovery): Command {
  const command = withDataDir(
    new Command('new-origin')
      .description('begin a new ledger under a new key and name; the one before is kept in a directory beside it')
      .addOption(
        new Option('--origin <name>', 'name of the new ledger (default: one of its own)').argParser(ledgerOrigin),
      )
      .option('--end-intact-ledger', 'also where nothing is missing from the ledger, or is damaged'),
  );
  withHelp(withJson(withConfirmation(command), ['origin', 'verifierKey', 'keptIn']), {
    examples: ['ect ledger new-origin --data-dir ./data', 'ect ledger new-origin --origin ledger.example/ect-2 --yes'],
    rejected: 'a service owns the directory, it holds no ledger, or one of which nothing is missing',
  });
  return command.action((options: DirectoryOptions & NewOriginOptions) =>
    attempt(io, options, async () => {
      demandDirectory(options.dataDir);
      await confirm(
        io,
        options,
        `The ledger in ${options.dataDir} gets no further entries; a new one takes its place.`,
      );
      const { origin, verifierKey, keptIn } = await newOrigin(
        options.dataDir,
        options.origin,
        options.endIntactLedger === true,
      );
      if (options.json) {
        printJson(io, { origin, verifierKey, keptIn });
        return;
      }
      print(io, paint(io.stdout, 'green', '✓ the next start begins a new ledger'));
      for (const line of columns([
        ['origin', origin],
        ['verifier key', verifierKey],
        ['before', keptIn],
      ])) {
        print(io, `  ${plain(line)}`);
      }
      remark(io, 'Give the new verifier key to your auditors, and inform them that the previous ledger has ended.');
      remark(io, 'Signing keys that the service had made are kept there too. Of others, name none that was revoked.');
    }),
  );
}

function acceptLossCommand(io: Io, { acceptLoss }: LedgerRecovery): Command {
  const command = withDataDir(
    new Command('accept-loss')
      .description('go on with what is left of a ledger, and record in it what was lost')
      .addOption(noteOption()),
  );
  withHelp(withJson(withConfirmation(command), ['index', 'shownSize', 'verifierKey']), {
    examples: [
      'ect ledger accept-loss --data-dir ./data --note "the disk failed, backup of 3 a.m."',
      'ECT_STORE=postgres ECT_POSTGRES_URL=postgres://ect_service@db.example.org/ect ECT_LEDGER_KEY_FILE=ledger.key ect ledger accept-loss',
    ],
    rejected: 'a service owns the directory, nothing is missing, or the database cannot be used',
  });
  return command.action((options: DirectoryOptions & { readonly note: string }) =>
    attempt(io, options, async () => {
      demandDirectory(options.dataDir);
      const consequence = `Receipts and checkpoints of what is missing in ${options.dataDir} contradict the ledger from now on.`;
      await confirm(io, options, consequence);
      const { index, shownSize, verifierKey } = await acceptLoss(options.dataDir, options.note);
      if (options.json) {
        printJson(io, { index: String(index), shownSize: String(shownSize), verifierKey });
        return;
      }
      print(io, paint(io.stdout, 'green', `✓ entry ${index} states the loss; the service can start`));
      print(io, `  ${shownSize} entries had been shown, ${index} of this history are left before it`);
      remark(io, 'Inform your auditors: `ect audit` names the entry.');
      remark(io, 'A revocation in a missing entry does not count any more: revoke the key again (`ect keys revoke`).');
    }),
  );
}
