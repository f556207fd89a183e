// `ect audit`: reads a ledger in a file, a database or a running service, computes its root, and reports every fault.

import { Command, Option } from 'commander';
import { KEY_SCOPE, KeyAudit } from '../key-manager/index.ts';
import { type AuditEnd, auditLedger, type LedgerRecord } from '../ledger/index.ts';
import { isWithin } from '../token/index.ts';
import { auditDatabase, type LedgerDatabases } from './audit-database.ts';
import { auditFile } from './audit-file.ts';
import { type Outcome, printAsJson, printOutcome } from './audit-outcome.ts';
import { ProvenanceAudit } from './audit-provenance.ts';
import { auditService } from './audit-service.ts';
import { type AcceptedLoss, type AuditSource, FIRST_ENTRY, keyFault, lossIn, unknownKeys } from './audit-source.ts';
import { type AuditPlace, AuditState } from './audit-state.ts';
import { type ServiceOptions, withService } from './client.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { withLedgerFile } from './ledger-file.ts';
import { type Io, type OutputOptions, withJson } from './output.ts';
import { drawProgress } from './progress.ts';
import { each, issuerName, readBytes } from './values.ts';
import { readVerifierKey } from './verifier-key.ts';

interface AuditOptions extends ServiceOptions, OutputOptions {
  readonly ledgerKey?: string;
  readonly earlier?: readonly string[];
  readonly foreign?: readonly string[];
  readonly jwks?: string;
  readonly state?: string;
  readonly postgresUrl?: string;
}

export function auditCommand(io: Io, databases: LedgerDatabases): Command {
  const command = new Command('audit')
    .description(
      'check every leaf, every commitment and the root of a ledger; without a file: of the database of ECT_POSTGRES_URL, or of the service at --url',
    )
    .argument('[ledger.db]', 'the database file; a service may be writing it')
    .option(
      '--postgres-url <url>',
      'of a database, which replicas may be writing; passwords are read from ECT_POSTGRES_PASSWORD_FILE',
    )
    .option(
      '--ledger-key <key>',
      'verifier key that you obtained before, or @file; without it, the one that the ledger names',
    )
    .addOption(
      new Option(
        '--earlier <file>',
        'a checkpoint that was kept: the ledger must still contain it (repeatable)',
      ).argParser(each),
    );
  command
    .addOption(
      new Option('--foreign <iss>', 'tokens of this issuer are signed by its own keys (repeatable)').argParser(
        (text: string, before: readonly string[] | undefined) => each(issuerName(text), before),
      ),
    )
    .option('--state <file>', 'continue where the last audit with this file stopped, and store where this one stops')
    .option('--jwks <file>', 'a fetched key set: compare it with the ledger (of a service: its own)');
  withHelp(
    withJson(withService(command), [
      'ok',
      'fromIndex',
      'treeSize',
      'rootHash',
      'verifierKey',
      'keySource',
      'withoutToken',
      'mark',
      'acceptedLosses',
      'provenance',
      'keys',
      'faultCount',
      'faults',
    ]),
    {
      examples: [
        'ect audit data/ledger.db --ledger-key @ledger.vkey',
        'ect audit --url http://127.0.0.1:8080',
        'ECT_POSTGRES_PASSWORD_FILE=auditor.password ect audit --postgres-url postgres://auditor@db.example.org/ect',
        'ect audit --url https://ect.example:8443 --ledger-key @ledger.vkey --state ect.audit-state',
      ],
      rejected: 'the ledger has a fault, or could not be read',
    },
  );
  return command.action((file: string | undefined, options: AuditOptions) => {
    const { postgresUrl } = options;
    const named = command.getOptionValueSource('url');
    const isOfService = named === 'cli' || (named === 'env' && postgresUrl === undefined);
    if (postgresUrl !== undefined && (file !== undefined || isOfService)) {
      return attempt(io, options, () => {
        throw new WrongUsage('name exactly one of a file, --url and --postgres-url');
      });
    }
    if (file === undefined && !isOfService && (postgresUrl !== undefined || databases.isNamed)) {
      return attempt(io, options, async () => {
        const key = await readKey(io, options);
        const database = await databases.open(postgresUrl);
        try {
          await withState(options, (state) => audit(io, options, state, key, (from) => auditDatabase(database, from)));
        } finally {
          await database.close();
        }
      });
    }
    if (file === undefined) {
      return attemptCalls(io, options, async (service) => {
        const key = await readKey(io, options);
        await withState(options, (state) => audit(io, options, state, key, (from) => auditService(service, key, from)));
      });
    }
    return attempt(io, options, async () => {
      if (command.getOptionValueSource('url') === 'cli') throw new WrongUsage('name a file or a --url, not both');
      const key = await readKey(io, options);
      await withLedgerFile(file, (opened) =>
        withState(options, (state) => audit(io, options, state, key, (from) => auditFile(opened, from))),
      );
    });
  });
}

async function readKey(io: Io, { ledgerKey }: AuditOptions): Promise<string | undefined> {
  return ledgerKey === undefined ? undefined : readVerifierKey(io, ledgerKey);
}

async function withState({ state: path }: AuditOptions, body: (state: AuditState) => Promise<void>): Promise<void> {
  const state = AuditState.open(path);
  try {
    await body(state);
  } finally {
    state.close();
  }
}

/** Returns where the audit begins: where the previous one stopped, in the tree that it has seen. */
function beginningOf(state: AuditState): AuditEnd {
  if (state.place === undefined) return FIRST_ENTRY;
  const { size, frontier, recordedAtMs } = state.place;
  return { size, frontier: frontier.map((hash) => Buffer.from(hash, 'base64')), recordedAtMs };
}

async function audit(
  io: Io,
  options: AuditOptions,
  state: AuditState,
  key: string | undefined,
  open: (from: AuditEnd) => Promise<AuditSource>,
): Promise<void> {
  const earlier = await Promise.all((options.earlier ?? []).map((path) => readBytes(io, path)));
  const keyAudit = new KeyAudit((iss) => (options.foreign ?? []).some((foreign) => isWithin(iss, foreign)));
  for (const record of state.keys()) keyAudit.takeKey(record);
  const from = beginningOf(state);
  const source = await open(from);
  const verifierKey = key ?? source.ownKey;
  if (state.place !== undefined && state.place.verifierKey !== verifierKey) {
    throw new WrongUsage(`${options.state} is the state of another ledger: name another file with --state`);
  }
  if (key !== undefined && source.ownKey !== key.trim()) {
    source.faults.push({ index: null, fault: 'it names another verifier key than the one that was brought' });
  }
  const progress = drawProgress(io.stderr, 'audited');
  let erased = state.place?.erased ?? 0;
  const losses: AcceptedLoss[] = [];
  const provenances = new ProvenanceAudit();
  const request = {
    records: source.records,
    checkpoint: source.checkpoint,
    verifierKey,
    earlier: earlier.map((note) => note.toString('utf8')),
    ...(source.highWater === undefined ? {} : { highWater: source.highWater.checkpoint }),
    from,
    addName: state.addName,
    checkRecord: (record: LedgerRecord) => {
      if (record.content === null) erased += 1;
      if (record.scope === KEY_SCOPE) state.addKey(record);
      const loss = lossIn(record);
      if (loss !== undefined) losses.push(loss);
      return keyFault(keyAudit, record) ?? provenances.take(record);
    },
    onProgress: progress.advance,
  };
  const report = await auditLedger(request).finally(progress.end);
  source.demandSameState?.();
  const keySet = options.jwks === undefined ? source.keySet : await readKeySet(io, options.jwks);
  if (report.faults.some(({ index }) => index === null)) source.faults.push(...((await source.locate?.()) ?? []));
  const damage = await source.knownDamage?.();
  if (damage !== undefined) source.faults.push({ index: null, fault: damage });
  source.faults.push(...unknownKeys(keyAudit));
  const keySetFaults = keySet === undefined ? [] : keyAudit.compareKeySet(keySet.text, keySet.readAtMs);
  source.faults.push(...keySetFaults.map((fault) => ({ index: null, fault })));
  const faults = [...report.faults, ...source.faults].sort((a, b) => (a.index ?? Infinity) - (b.index ?? Infinity));
  const keys = {
    announced: keyAudit.keys.length,
    usesBefore: keyAudit.usesBefore + (state.place?.usesBefore ?? 0),
    keySet: keySet === undefined ? 'not compared' : keySetFaults.length === 0 ? 'as the ledger says' : 'differs',
  };
  const faultCount = report.faultCount + source.faults.length;
  const { highWater, damagedMarkPages = 0 } = source;
  const found = { erased, keys, losses, provenance: await provenances.facts(source.documents) };
  const outcome = { report, faults, faultCount, from: from.size, highWater, damagedMarkPages, ...found };
  if (faultCount > 0) io.exitCode = EXIT.rejected;
  else state.keep(placeAfter(outcome, verifierKey));
  if (options.json) printAsJson(io, outcome, verifierKey, key !== undefined);
  else printOutcome(io, outcome, verifierKey, key !== undefined);
}

function placeAfter({ report: { end }, erased, keys: { usesBefore } }: Outcome, verifierKey: string): AuditPlace {
  const frontier = end.frontier.map((hash) => Buffer.from(hash).toString('base64'));
  return { verifierKey, size: end.size, frontier, recordedAtMs: end.recordedAtMs, erased, usesBefore };
}

async function readKeySet(io: Io, path: string): Promise<AuditSource['keySet']> {
  return { text: (await readBytes(io, path)).toString('utf8'), readAtMs: Date.now() };
}
