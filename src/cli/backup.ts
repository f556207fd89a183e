// `ect backup` and `ect restore`: copies everything that a data directory needs to continue, and restores it.

import { Command } from 'commander';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { type DataDirOptions, demandDirectory, noteOption, withDataDir } from './data-dir-option.ts';
import { Rejected, WrongUsage } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';
import { drawProgress } from './progress.ts';

/** Facts about the ledger in a backup. */
interface LedgerFacts {
  readonly origin: string;
  readonly verifierKey: string;
  readonly size: number;
  /** Base64. */
  readonly rootHash: string;
}

/** The result of `ect backup`: a backup that was made and verified. */
export interface BackupFacts extends LedgerFacts {
  readonly directory: string;
  /** The names of all files, and their total size in bytes. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** How long the copying took, without the verification, in milliseconds. */
  readonly copiedMs: number;
  /** What the service may need that is not in the backup: keys that are stored elsewhere, other files of the directory. */
  readonly left: readonly string[];
}

/** The result of `ect restore`: a data directory with which a service can continue. */
export interface RestoreFacts extends LedgerFacts {
  readonly directory: string;
  /** When the backup was made, in RFC 3339. */
  readonly createdAt: string;
  /** The directory to which existing files were moved; undefined if there were none. */
  readonly keptIn: string | undefined;
  /** Existing files that were kept because they are newer than the backup. */
  readonly stayed: readonly string[];
  /** Why the existing `once.db` was not kept; undefined if it was kept or there was none. */
  readonly onceFault: string | undefined;
  /** The number of uses and request ids of the backup that were added to the existing `once.db`. */
  readonly added: number;
  /** The accepted loss: the index of the entry that states it, and the number of entries that had been published. */
  readonly loss: { readonly index: number; readonly shownSize: number } | undefined;
}

export interface RestoreRequest {
  readonly backup: string;
  readonly dataDir: string;
  /** Whether existing files may be moved aside. */
  readonly replaces: boolean;
  /** The note of the entry about missing entries; undefined: no entry may be missing. */
  readonly lossNote: string | undefined;
}

/** The operations on the files. They are a parameter, because only the process itself may compose them. */
export interface Backups {
  make(
    dataDir: string,
    directory: string,
    onExamined: (done: number, total: number | undefined) => void,
  ): Promise<BackupFacts>;
  restore(request: RestoreRequest): Promise<RestoreFacts>;
}

export function backupCommand(io: Io, { make }: Backups): Command {
  const command = withDataDir(
    new Command('backup')
      .description('copy a data directory, keys included, and verify the copy; a service may be using it')
      .argument('<dir>', 'the new directory of the backup: one for each'),
  );
  withHelp(
    withJson(command, [
      'directory',
      'origin',
      'verifierKey',
      'treeSize',
      'rootHash',
      'files',
      'bytes',
      'copiedMs',
      'left',
    ]),
    {
      examples: [
        'ect backup /srv/backups/2026-03-01',
        'ect backup /srv/backups/$(date +%F) --data-dir /var/lib/ect --json',
      ],
      rejected: 'no backup was made: the directory is taken, there is no space, or the ledger is damaged',
    },
  );
  return command.action((directory: string, options: DataDirOptions & OutputOptions) =>
    attempt(io, options, async () => {
      const progress = drawProgress(io.stderr, 'verified');
      const facts = await make(options.dataDir, directory, progress.advance)
        .finally(progress.end)
        .catch((error: unknown) => {
          if (error instanceof Rejected && error.failure.reason === 'no_ledger') demandDirectory(options.dataDir);
          throw error;
        });
      printBackup(io, options, facts);
    }),
  );
}

function printBackup(io: Io, { json }: OutputOptions, facts: BackupFacts): void {
  const { directory, origin, verifierKey, size, rootHash, files, bytes, copiedMs, left } = facts;
  if (json) {
    const treeSize = String(size);
    printJson(io, {
      directory,
      origin,
      verifierKey,
      treeSize,
      rootHash,
      files: [...files],
      bytes,
      copiedMs,
      left: [...left],
    });
    return;
  }
  print(io, paint(io.stdout, 'green', `✓ ${plain(directory)} is a whole backup of ${size} entries`));
  const rows = [...ledgerRows(facts), ['files', `${files.length} (${megabytes(bytes)} MB)`] as const];
  for (const line of columns(rows)) print(io, `  ${line}`);
  if (!files.includes('once.db'))
    remark(io, 'There is no once.db: uses of tokens and request ids are not in the backup.');
  for (const what of left) remark(io, `Not in the backup: ${plain(what)}`);
  remark(io, 'It holds private keys: keep it like the data directory, on another disk.');
}

export function restoreCommand(io: Io, { restore }: Backups): Command {
  const command = withDataDir(
    new Command('restore')
      .description('put a backup in place as a data directory, while no service runs over it')
      .argument('<dir>', 'the directory of the backup'),
  )
    .option('--replace', 'the data directory is not empty: put its files aside, in a directory inside it')
    .option('--accept-loss', 'the backup is older than what the ledger has shown: record in the ledger what is missing')
    .addOption(noteOption());
  withHelp(
    withJson(withConfirmation(command), [
      'directory',
      'origin',
      'verifierKey',
      'treeSize',
      'rootHash',
      'createdAt',
      'keptIn',
      'stayed',
      'onceFault',
      'added',
      'acceptedLoss',
    ]),
    {
      examples: [
        'ect restore /srv/backups/2026-03-01 --data-dir ./data',
        'ect restore /srv/backups/2026-03-01 --replace --yes',
        'ect restore /srv/backups/2026-03-01 --replace --accept-loss --note "the disk failed" --yes',
      ],
      rejected: 'nothing was restored: the backup is damaged or older than what was shown, or the directory is in use',
    },
  );
  return command.action((backup: string, options: RestoreOptions) =>
    attempt(io, options, async () => {
      const { dataDir, replace = false, acceptLoss = false, note } = options;
      if (note !== '' && !acceptLoss) throw new WrongUsage('--note goes with --accept-loss');
      const consequences = [
        ...(replace ? [`The files in ${dataDir} are put aside, and those of the backup take their place.`] : []),
        ...(acceptLoss ? ['Receipts and checkpoints of entries that the backup lacks contradict the ledger.'] : []),
      ];
      if (consequences.length > 0) await confirm(io, options, consequences.join(' '), acceptLoss);
      const lossNote = acceptLoss ? note : undefined;
      const facts = await restore({ backup, dataDir, replaces: replace, lossNote }).catch((error: unknown) => {
        if (error instanceof Rejected && error.failure.reason === 'backup_incomplete') demandDirectory(backup);
        throw error;
      });
      printRestore(io, options, facts);
    }),
  );
}

interface RestoreOptions extends DataDirOptions, OutputOptions, ConfirmOptions {
  readonly replace?: true;
  readonly acceptLoss?: true;
  readonly note: string;
}

function printRestore(io: Io, { json }: OutputOptions, facts: RestoreFacts): void {
  const { directory, origin, verifierKey, size, rootHash, createdAt, keptIn, stayed, added, onceFault, loss } = facts;
  if (json) {
    printJson(io, {
      directory,
      origin,
      verifierKey,
      treeSize: String(size),
      rootHash,
      createdAt,
      ...(keptIn === undefined ? {} : { keptIn }),
      stayed: [...stayed],
      ...(onceFault === undefined ? {} : { onceFault }),
      ...(added === 0 ? {} : { added }),
      ...(loss === undefined ? {} : { acceptedLoss: { index: String(loss.index), shownSize: String(loss.shownSize) } }),
    });
    return;
  }
  print(io, paint(io.stdout, 'green', `✓ ${plain(directory)} holds the backup of ${createdAt}: ${size} entries`));
  const rows = [
    ...ledgerRows(facts),
    ['before', keptIn ?? ''] as const,
    ['stayed', stayed.join(', ')] as const,
    [
      'loss',
      loss === undefined ? '' : `entry ${loss.index} states it; ${loss.shownSize} entries had been shown`,
    ] as const,
  ];
  for (const line of columns(rows)) print(io, `  ${line}`);
  if (onceFault !== undefined)
    remark(io, `The once.db that was there did not stay: ${plain(onceFault).replace(/\.$/, '')}.`);
  if (!stayed.includes('once.db')) {
    remark(io, `Tokens that were used after ${createdAt} and have not expired can be used once more.`);
  }
  if (added > 0) remark(io, `once.db stayed, and ${added} uses or request ids of the backup were added to it.`);
  remark(io, `Keys that were revoked after ${createdAt} are in force again: revoke them once more.`);
  remark(
    io,
    `Stop every service that still runs over the original. Then start one with ECT_DATA_DIR=${plain(directory)}.`,
  );
  remark(
    io,
    'Compare the ledger with a checkpoint that was kept elsewhere: `ect audit --earlier`. A checkpoint with more entries than the backup must fail.',
  );
}

function ledgerRows({ origin, verifierKey, rootHash }: LedgerFacts) {
  return [
    ['origin', origin],
    ['verifier key', verifierKey],
    ['root', rootHash],
  ] as const;
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
