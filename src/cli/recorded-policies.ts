// `ect policy digest` and `ect policy recorded`: convert between the text of a policy and the digest that entries contain.

import { Command } from 'commander';
import type { DocumentStore } from '../ledger/index.ts';
import { digestOfPolicy, type PolicyTexts, textsIn } from '../policy/index.ts';
import type { LedgerDatabases } from './audit-database.ts';
import { EXIT, Rejected, WrongUsage } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { withLedgerFile } from './ledger-file.ts';
import { columns, type Io, type OutputOptions, print, printJson, withJson } from './output.ts';
import { readBytes } from './values.ts';

interface DigestOptions extends OutputOptions {
  readonly limits?: string;
}

export function digestCommand(io: Io): Command {
  const command = new Command('digest')
    .description('print the digest of policy files, as events and entries of the ledger name it')
    .argument('[file]', 'the policy, as ECT_POLICY_FILE names it; - for stdin')
    .option('--limits <file>', 'the groups and limits beside it, as ECT_POLICY_LIMITS names them');
  withHelp(withJson(command, ['digest']), {
    examples: [
      'ect policy digest policy.cedar --limits limits.json',
      'git show HEAD~3:policy.cedar | ect policy digest -',
    ],
    rejected: 'a file cannot be read',
  });
  return command.action((file: string | undefined, options: DigestOptions) =>
    attempt(io, options, async () => {
      const { limits } = options;
      if (file === undefined && limits === undefined) throw new WrongUsage('name a policy file, --limits, or both');
      if (file === '-' && limits === '-') throw new WrongUsage('only one of the two files can be stdin');
      const read = async (path: string | undefined) =>
        path === undefined ? undefined : textOf(path, await readBytes(io, path));
      const digest = digestOfPolicy({ policy: await read(file), limits: await read(limits) });
      if (options.json) printJson(io, { digest });
      else print(io, digest);
    }),
  );
}

/** Returns the text of a policy file. A service rejects a file that is not UTF-8, so no recorded policy has its digest. */
function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const message = `${path === '-' ? 'stdin' : path} is not UTF-8`;
    throw new Rejected({ reason: 'file_unreadable', message, remedy: 'Name a policy or a limits file.', metadata: {} });
  }
}

interface RecordedOptions extends OutputOptions {
  readonly digest?: string;
  readonly limits?: true;
  readonly postgresUrl?: string;
}

export function recordedCommand(io: Io, databases: LedgerDatabases): Command {
  const command = new Command('recorded')
    .description('list the policies that have been in force, as the ledger keeps them, or print one of them')
    .argument('[ledger.db]', 'the database file; a service may be writing it')
    .option('--digest <digest>', 'print the policy of this digest, exactly as it was')
    .option('--limits', 'with --digest: print its groups and limits instead')
    .option('--postgres-url <url>', 'of a database in place of that of ECT_POSTGRES_URL');
  withHelp(withJson(command, ['policies', 'damaged', 'digest', 'policy', 'limits']), {
    examples: [
      'ect policy recorded data/ledger.db',
      'ect policy recorded data/ledger.db --digest "$DIGEST" > policy.cedar',
      'ect policy recorded --postgres-url postgres://auditor@db.example.org/ect',
    ],
    rejected: 'the ledger keeps no such policy, one that it keeps is damaged, or it could not be read',
  });
  return command.action((file: string | undefined, options: RecordedOptions) =>
    attempt(io, options, async () => {
      if (options.limits === true && options.digest === undefined) throw new WrongUsage('--limits needs --digest');
      if (file !== undefined && options.postgresUrl !== undefined) {
        throw new WrongUsage('name a file or a --postgres-url, not both');
      }
      if (file !== undefined) return withLedgerFile(file, ({ store }) => answer(io, options, store));
      if (options.postgresUrl === undefined && !databases.isNamed) {
        throw new WrongUsage('name the ledger: a file, --postgres-url, or ECT_POSTGRES_URL');
      }
      const database = await databases.open(options.postgresUrl);
      try {
        await answer(io, options, database.store);
      } finally {
        await database.close();
      }
    }),
  );
}

async function answer(io: Io, options: RecordedOptions, store: DocumentStore): Promise<void> {
  const { digest } = options;
  if (digest === undefined) return list(io, options, store);
  const { policy, limits } = await read(store, digest);
  if (options.json) return printJson(io, { digest, ...sized({ policy, limits }, (text) => text) });
  const text = options.limits === true ? limits : policy;
  if (text === undefined) {
    throw missing(`The policy ${digest} has no ${options.limits === true ? 'limits' : 'policy file, only limits'}.`);
  }
  // The exact bytes, so that the output has the requested digest.
  io.stdout.write(text);
}

/** Lists all policies, including damaged ones; if there are any, the exit code is 1. */
async function list(io: Io, options: RecordedOptions, store: DocumentStore): Promise<void> {
  const policies: { readonly digest: string; readonly bytes: Sizes }[] = [];
  const damaged: string[] = [];
  // One after another, because a text may have a megabyte. Only the sizes are kept.
  for (const digest of await store.documents()) {
    const document = await store.document(digest);
    const texts = document && textsIn(document);
    if (texts === undefined) damaged.push(digest);
    else policies.push({ digest, bytes: sized(texts, (text) => Buffer.byteLength(text)) });
  }
  if (options.json) printJson(io, { policies, ...(damaged.length > 0 ? { damaged } : {}) });
  else {
    if (policies.length === 0 && damaged.length === 0) print(io, 'no policy of the operator has been in force');
    const rows = [
      ...policies.map(({ digest, bytes }) => [digest, describe(bytes)] as const),
      ...damaged.map((digest) => [digest, 'damaged: it has another digest'] as const),
    ];
    for (const line of columns(rows)) print(io, line);
  }
  if (damaged.length > 0) io.exitCode = EXIT.rejected;
}

type Sizes = ReturnType<typeof sized<number>>;

function describe({ policy, limits }: Sizes): string {
  const part = (name: string, bytes: number | undefined) => (bytes === undefined ? [] : [`${name}: ${bytes} bytes`]);
  return [...part('policy', policy), ...part('limits', limits)].join(', ');
}

function sized<T>({ policy, limits }: PolicyTexts, of: (text: string) => T) {
  return {
    ...(policy === undefined ? {} : { policy: of(policy) }),
    ...(limits === undefined ? {} : { limits: of(limits) }),
  };
}

async function read(store: DocumentStore, digest: string): Promise<PolicyTexts> {
  const document = await store.document(digest);
  if (document === undefined) throw missing(`The ledger keeps no policy ${digest}.`);
  const texts = textsIn(document);
  if (texts !== undefined) return texts;
  throw new Rejected({
    reason: 'LEDGER_CORRUPT',
    message: `What the ledger keeps as the policy ${digest} has another digest.`,
    remedy: 'Do not trust this text: somebody has changed the database, or it is damaged. Restore it from a backup.',
    metadata: {},
  });
}

function missing(message: string): Rejected {
  const remedy = 'List what there is with `ect policy recorded`, or compare files with `ect policy digest`.';
  return new Rejected({ reason: 'policy_unknown', message, remedy, metadata: {} });
}
