// `ect ledger copy`: copies a ledger from a data directory into a PostgreSQL database or back, to continue it there.

import { Command } from 'commander';
import { demandDirectory } from './data-dir-option.ts';
import { WrongUsage } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';
import { drawProgress } from './progress.ts';

/** What was copied and verified. */
export interface CopyFacts {
  readonly source: string;
  readonly target: string;
  readonly origin: string;
  readonly verifierKey: string;
  readonly size: number;
  /** Base64. */
  readonly rootHash: string;
  /** The number of entries that an earlier copy had already written. */
  readonly before: number;
  /** The number of uses of tokens and of request ids; undefined if the source has lost them. */
  readonly once: { readonly uses: number; readonly issued: number } | undefined;
  /** The locations of the signing keys that the ledger names as in use. Keys are not copied. */
  readonly signingKeys: readonly string[];
}

type Copy = (directory: string, onCopied: (done: number, total: number) => void) => Promise<CopyFacts>;

/**
 * Copies between a directory and the database that the settings of the environment name. It is a parameter, because only the process
 * itself may compose it.
 */
export interface LedgerCopier {
  readonly toDatabase: Copy;
  readonly toDirectory: Copy;
}

/** The name of the database on the command line. Any other place is a directory. */
const DATABASE = 'postgres';

export function ledgerCopyCommand(io: Io, copier: LedgerCopier): Command {
  const command = new Command('copy')
    .description(
      'copy a whole ledger from a data directory into the database of ECT_POSTGRES_URL, or back, and verify it',
    )
    .argument('<from>', 'a data directory that no service uses, a backup, or `postgres`')
    .argument('<to>', '`postgres`, or an empty directory; one that a copy has begun is completed');
  withHelp(
    withJson(command, [
      'source',
      'target',
      'origin',
      'verifierKey',
      'treeSize',
      'rootHash',
      'before',
      'uses',
      'requestIds',
      'signingKeys',
    ]),
    {
      examples: [
        'ECT_POSTGRES_URL=postgres://ect_service@db.example.org/ect ect ledger copy ./data postgres',
        'ECT_POSTGRES_URL=postgres://ect_service@db.example.org/ect ECT_LEDGER_KEY_FILE=ledger.key ect ledger copy postgres ./back',
      ],
      rejected: 'there is no usable copy: the source is damaged or in use, or the target holds something else',
    },
  );
  return command.action((from: string, to: string, options: OutputOptions) =>
    attempt(io, options, async () => {
      if ((from === DATABASE) === (to === DATABASE)) {
        throw new WrongUsage('one of the two places must be `postgres` and the other a directory');
      }
      if (from !== DATABASE) demandDirectory(from);
      const progress = drawProgress(io.stderr, 'copied');
      const copying =
        to === DATABASE ? copier.toDatabase(from, progress.advance) : copier.toDirectory(to, progress.advance);
      printCopy(io, options, await copying.finally(progress.end), to === DATABASE);
    }),
  );
}

function printCopy(io: Io, { json }: OutputOptions, facts: CopyFacts, isInDatabase: boolean): void {
  const { source, target, origin, verifierKey, size, rootHash, before, once, signingKeys } = facts;
  if (json) {
    printJson(io, {
      source,
      target,
      origin,
      verifierKey,
      treeSize: String(size),
      rootHash,
      before: String(before),
      ...(once === undefined ? {} : { uses: String(once.uses), requestIds: String(once.issued) }),
      signingKeys: [...signingKeys],
    });
    return;
  }
  print(io, paint(io.stdout, 'green', `✓ ${plain(target)} holds the whole ledger: ${size} entries`));
  const rows = [
    ['from', source],
    ['origin', origin],
    ['verifier key', verifierKey],
    ['root', rootHash],
    ['there before', before === 0 ? '' : `${before} entries of a copy that was begun`],
    ['once', once === undefined ? '' : `${once.uses} uses of tokens, ${once.issued} request ids`],
    ['signing keys', signingKeys.join(', ')],
  ] as const;
  for (const line of columns(rows)) print(io, `  ${line}`);
  if (once === undefined) {
    remark(io, 'The source has no once.db: used tokens that have not expired can be used once more.');
  }
  remark(
    io,
    isInDatabase
      ? 'Give each replica ledger.key of the directory (ECT_LEDGER_KEY_FILE) and the signing key (ECT_LOCAL_KEY_FILE), or set ECT_SIGNER=kms.'
      : 'Keep the signing key where the settings name it. No replica starts over the database any more.',
  );
}
