// `ect audit`: walks a ledger file or a running service, derives the root anew, and names every fault.

import { Command, Option } from 'commander';
import { isWithin } from '../authority/index.ts';
import { KeyAudit } from '../custody/index.ts';
import { type AuditFault, type AuditReport, auditLedger, type LedgerRecord } from '../ledger/index.ts';
import { auditFile } from './audit-file.ts';
import { auditService } from './audit-service.ts';
import { type AuditSource, keyFault, unknownKeys } from './audit-source.ts';
import { type ServiceOptions, withService } from './client.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { withLedgerFile } from './ledger-file.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, remark, withOutput } from './output.ts';
import { drawProgress } from './progress.ts';
import { each, readBytes, readText } from './values.ts';

interface AuditOptions extends ServiceOptions, OutputOptions {
  readonly ledgerKey?: string;
  readonly earlier?: readonly string[];
  readonly foreign?: readonly string[];
  readonly jwks?: string;
}

const MAX_FAULTS_SHOWN = 100;

export function auditCommand(io: Io): Command {
  const command = new Command('audit')
    .description('check every leaf, every commitment and the root of a ledger; without a file: of the service at --url')
    .argument('[ledger.db]', 'the database file; a service may be writing it')
    .option('--ledger-key <key>', 'verifier key that you got before, or @file; without it, the ledger names its own')
    .addOption(
      new Option(
        '--earlier <file>',
        'a checkpoint that was kept: the ledger must still contain it (repeatable)',
      ).argParser(each),
    );
  command
    .addOption(
      new Option('--foreign <iss>', 'tokens of this issuer are signed by its own keys (repeatable)').argParser(each),
    )
    .option('--jwks <file>', 'a key set that was fetched: hold it against the ledger (of a service: its own)');
  withHelp(withOutput(withService(command)), {
    examples: ['ect audit data/ledger.db --ledger-key @ledger.vkey', 'ect audit --url http://127.0.0.1:8080'],
    refused: 'the ledger has a fault, or could not be read',
  });
  return command.action((file: string | undefined, options: AuditOptions) => {
    if (file === undefined) {
      return attemptCalls(io, options, async (service) => {
        const key = await readKey(io, options);
        await audit(io, options, await auditService(service, key), key);
      });
    }
    return attempt(io, options, async () => {
      if (command.getOptionValueSource('url') === 'cli') throw new WrongUsage('name a file or a --url, not both');
      const key = await readKey(io, options);
      await withLedgerFile(file, async (store) => audit(io, options, await auditFile(store, file), key));
    });
  });
}

async function readKey(io: Io, { ledgerKey }: AuditOptions): Promise<string | undefined> {
  return ledgerKey === undefined ? undefined : readText(io, ledgerKey);
}

async function audit(io: Io, options: AuditOptions, source: AuditSource, key: string | undefined): Promise<void> {
  const earlier = await Promise.all((options.earlier ?? []).map((path) => readBytes(io, path)));
  const progress = drawProgress(io.stderr, 'audited');
  const keyAudit = new KeyAudit((iss) => (options.foreign ?? []).some((foreign) => isWithin(iss, foreign)));
  let erased = 0;
  const request = {
    records: source.records,
    checkpoint: source.checkpoint,
    verifierKey: key ?? source.ownKey,
    earlier: earlier.map((note) => note.toString('utf8')),
    checkRecord: (record: LedgerRecord) => {
      if (record.content === null) erased += 1;
      return keyFault(keyAudit, record);
    },
    onProgress: progress.advance,
  };
  const report = await auditLedger(request).finally(progress.end);
  const keySet = options.jwks === undefined ? source.keySet : await readKeySet(io, options.jwks);
  source.faults.push(...unknownKeys(keyAudit));
  const keySetFaults = keySet === undefined ? [] : keyAudit.compareKeySet(keySet.text, keySet.readAtMs);
  source.faults.push(...keySetFaults.map((fault) => ({ index: null, fault })));
  const faults = [...report.faults, ...source.faults].sort((a, b) => (a.index ?? Infinity) - (b.index ?? Infinity));
  const keys = {
    announced: keyAudit.keys.length,
    usesBefore: keyAudit.usesBefore,
    keySet: keySet === undefined ? 'not compared' : keySetFaults.length === 0 ? 'as the ledger says' : 'differs',
  };
  const outcome = { report, faults, erased, keys, faultCount: report.faultCount + source.faults.length };
  if (outcome.faultCount > 0) io.exitCode = EXIT.refused;
  if (options.json) tellMachine(io, outcome, key ?? source.ownKey, key !== undefined);
  else tell(io, outcome, key ?? source.ownKey, key !== undefined);
}

async function readKeySet(io: Io, path: string): Promise<AuditSource['keySet']> {
  return { text: (await readBytes(io, path)).toString('utf8'), readAtMs: Date.now() };
}

interface Outcome {
  readonly report: AuditReport;
  readonly faults: readonly AuditFault[];
  readonly faultCount: number;
  /** Entries whose token is not kept: their leaf is checked, their content cannot be. */
  readonly erased: number;
  readonly keys: {
    readonly announced: number;
    /** Tokens from before the first key was announced. */
    readonly usesBefore: number;
    readonly keySet: string;
  };
}

function tell(io: Io, outcome: Outcome, verifierKey: string, isTrusted: boolean): void {
  const { report, faults, faultCount, erased, keys } = outcome;
  for (const { index, fault } of faults.slice(0, MAX_FAULTS_SHOWN)) {
    print(io, `${paint(io.stdout, 'red', '✗')} ${index === null ? 'ledger' : `index ${index}`}: ${plain(fault)}`);
  }
  if (faultCount > MAX_FAULTS_SHOWN) print(io, `… ${faultCount} faults in all`);
  if (faultCount === 0) {
    print(io, paint(io.stdout, 'green', '✓ every leaf, every commitment and the root hold'));
  }
  const rows = [
    ['entries', String(report.size)],
    ['without token', erased === 0 ? '' : String(erased)],
    ['signing keys', `${keys.announced} announced`],
    ['key set', keys.keySet],
    ['before keys', keys.usesBefore === 0 ? '' : `${keys.usesBefore} tokens are older than the first announcement`],
    ['root', Buffer.from(report.root).toString('base64')],
    ['verifier key', verifierKey],
  ] as const;
  for (const line of columns(rows)) print(io, `  ${line}`);
  if (isTrusted) return;
  remark(io, 'The key came from the ledger itself, so this shows that it is consistent, not whose it is.');
  remark(io, 'Keep the key (`ect checkpoint --key`) and bring it next time with --ledger-key.');
}

function tellMachine(io: Io, outcome: Outcome, verifierKey: string, isTrusted: boolean): void {
  const { report, faults, faultCount, erased, keys } = outcome;
  printJson(io, {
    ok: faultCount === 0,
    treeSize: String(report.size),
    rootHash: Buffer.from(report.root).toString('base64'),
    verifierKey,
    keySource: isTrusted ? 'argument' : 'ledger',
    withoutToken: erased,
    keys: { ...keys },
    faultCount,
    faults: faults.slice(0, MAX_FAULTS_SHOWN).map(({ index, fault }) => ({ index, fault })),
  });
}
