// `ect verify`: requests a verdict on a token from the service; or, with a receipt and the key of the ledger, checks without a service
// that the ledger recorded the token.

import { Command, Option } from 'commander';
import {
  DagMode,
  type Equivocation,
  ReplayMode,
  VerifyMode,
  type VerifyResponse,
  VerifyResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import { type Finding, Level } from '../gen/ect/v1/token_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { checkLines, claimRows, dagLines, dagStatusName, levelName, reasonName } from './describe.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printMessage, withOutput } from './output.ts';
import { verifyOffline } from './receipt.ts';
import { each, hashFile, LEVELS, type Moment, moment, readText } from './values.ts';

interface VerifyOptions extends ServiceOptions, OutputOptions {
  readonly audience?: string;
  readonly predToken?: readonly string[];
  readonly dagMode?: keyof typeof DAG_MODES;
  readonly minimumLevel?: keyof typeof LEVELS;
  readonly report?: true;
  readonly asOf?: Moment;
  readonly replay: boolean;
  readonly observe?: true;
  readonly requestId?: string;
  readonly input?: string;
  readonly output?: string;
  readonly receipt?: string;
  readonly leaf?: string;
  readonly ledgerKey?: string;
}

/** Options that cannot be checked with a receipt. They are rejected, so that the result does not suggest that they were checked. */
const ASKED_OF_THE_SERVICE = [
  'audience',
  'predToken',
  'dagMode',
  'minimumLevel',
  'report',
  'asOf',
  'replay',
  'observe',
  'requestId',
  'input',
  'output',
];

const DAG_MODES = { none: DagMode.NONE, partial: DagMode.PARTIAL, complete: DagMode.COMPLETE } as const;

export function verifyCommand(io: Io): Command {
  const command = new Command('verify')
    .description('verify a token; print the verdict, the reason and the remedy')
    .argument('<token>', 'the token, @file, or - for stdin')
    .option('--audience <uri>', 'who is verifying (default: your own identity; required for an anonymous caller)')
    .addOption(new Option('--pred-token <token>', 'token of a predecessor (repeatable)').argParser(each))
    .addOption(new Option('--dag-mode <mode>', 'how much of the graph must be found').choices(Object.keys(DAG_MODES)))
    .addOption(
      new Option(
        '--minimum-level <level>',
        'reject a token of a lower level; L3: look it up in the ledger, and reject it if it is not recorded',
      ).choices(Object.keys(LEVELS)),
    )
    .option('--report', 'print every step, and continue after a failure, so that every fault is listed')
    .addOption(
      new Option('--as-of <time>', 'verify as of this past time (evidence), without the replay guard').argParser(
        moment,
      ),
    )
    .option('--no-replay', 'do not guard against replay, and do not remember the token')
    .option('--observe', 'guard against replay, but do not remember the token')
    .option('--request-id <id>', 'repeating the call under the same id is not a replay')
    .option('--input <file>', 'compare its hash with inp_hash; it is not sent')
    .option('--output <file>', 'compare its hash with out_hash; it is not sent')
    .addOption(
      new Option(
        '--receipt <file>',
        'offline: check this receipt (tlog-proof, or JSON of a receipt or an answer), and nothing else',
      ).conflicts(ASKED_OF_THE_SERVICE),
    )
    .option('--leaf <file>', 'offline: the leaf of a tlog-proof (default: beside it, ending in .leaf)')
    .option('--ledger-key <key>', 'offline: verifier key of the ledger, or @file');
  withHelp(withOutput(withService(command), 'with --receipt the members valid, leafIndex, treeSize, leaf'), {
    examples: [
      'ect verify "$TOKEN" --audience urn:ect:dev',
      'ect verify @token.jwt --audience urn:ect:dev --report --as-of 2026-03-01T12:00:00Z',
      'ect verify @token.jwt --receipt order.tlog-proof --ledger-key @ledger.vkey',
    ],
    rejected: 'the token or its receipt is not valid, or the service could not be reached',
  });
  return command.action((token: string, options: VerifyOptions) =>
    options.receipt === undefined ? verifyOnline(io, token, options) : verifyByReceipt(io, token, options),
  );
}

function verifyByReceipt(io: Io, token: string, options: VerifyOptions): Promise<void> {
  return attempt(io, options, async () => {
    const { receipt, ledgerKey, leaf } = options;
    if (receipt === undefined || ledgerKey === undefined) {
      throw new WrongUsage('--receipt needs --ledger-key: print it once with `ect checkpoint --key` and keep it');
    }
    await verifyOffline(io, options, { token: await readText(io, token), receipt, leaf, ledgerKey });
  });
}

function verifyOnline(io: Io, token: string, options: VerifyOptions): Promise<void> {
  return attemptCalls(io, options, async ({ authority }) => {
    const { input, output, leaf, ledgerKey } = options;
    if ((leaf ?? ledgerKey) !== undefined) throw new WrongUsage('--leaf and --ledger-key go with --receipt');
    const predecessors = (options.predToken ?? []).map((predecessor) => readText(io, predecessor));
    const response = await authority.verify({
      token: await readText(io, token),
      audience: options.audience ?? '',
      predecessorTokens: await Promise.all(predecessors),
      dagMode: options.dagMode === undefined ? DagMode.UNSPECIFIED : DAG_MODES[options.dagMode],
      replayMode: replayMode(options),
      minimumLevel: options.minimumLevel === undefined ? Level.UNSPECIFIED : LEVELS[options.minimumLevel],
      verifyMode: options.report ? VerifyMode.REPORT : VerifyMode.ENFORCE,
      ...(options.asOf === undefined ? {} : { asOf: options.asOf }),
      requestId: options.requestId ?? '',
      inputBinding: input === undefined ? { case: undefined } : { case: 'inpHash', value: await hashFile(io, input) },
      outputBinding:
        output === undefined ? { case: undefined } : { case: 'outHash', value: await hashFile(io, output) },
    });
    if (!response.valid) io.exitCode = EXIT.rejected;
    if (options.json) printMessage(io, VerifyResponseSchema, response);
    else printVerdict(io, response, notChecked(options, response));
  });
}

function replayMode({ replay, observe }: VerifyOptions): ReplayMode {
  if (observe && !replay) throw new WrongUsage('--observe contradicts --no-replay');
  if (!replay) return ReplayMode.SKIP;
  return observe ? ReplayMode.OBSERVE : ReplayMode.RECORD;
}

/**
 * Returns what this verdict does not say, with the option that has it checked. A level of L2 alone would read as "not recorded", although
 * the ledger was not asked.
 */
function notChecked(options: VerifyOptions, { valid, level, dagReport, claims }: VerifyResponse): readonly string[] {
  if (!valid) return [];
  const isSkipped = (hash: string | undefined, file: string | undefined) => (hash ?? '') !== '' && file === undefined;
  const unchecked: readonly (readonly [boolean, string])[] = [
    [level < Level.L3 && dagReport === undefined, 'whether it is recorded: --minimum-level L3'],
    [dagReport === undefined, 'its predecessors: --dag-mode complete'],
    [!options.replay || options.asOf !== undefined, 'replay'],
    [isSkipped(claims?.inpHash, options.input), 'inp_hash: --input'],
    [isSkipped(claims?.outHash, options.output), 'out_hash: --output'],
  ];
  return unchecked.flatMap(([isUnchecked, what]) => (isUnchecked ? [what] : []));
}

function printVerdict(io: Io, response: VerifyResponse, unchecked: readonly string[]): void {
  const { valid, finding, claims, kid, checks, equivocation, dagReport } = response;
  if (valid) print(io, paint(io.stdout, 'green', `✓ valid, ${levelName(response.level)}`));
  else for (const line of findingLines(io, finding)) print(io, line);
  const open = unchecked.map((what) => ['not checked', what] as const);
  const facts = [...(claims ? claimRows(claims) : []), ['kid', kid] as const, ...open];
  for (const line of columns(facts)) print(io, `  ${line}`);
  if (checks.length > 0) print(io);
  for (const line of checkLines(io, checks)) print(io, line);
  if (equivocation) printEquivocation(io, equivocation);
  if (!dagReport) return;
  print(io, `\ngraph: ${dagStatusName(dagReport.status)}, ${dagReport.visited} ancestors visited`);
  for (const line of dagLines(dagReport)) print(io, line);
}

function findingLines(io: Io, finding: Finding | undefined): readonly string[] {
  if (finding === undefined) return [paint(io.stdout, 'red', '✗ not valid')];
  const { message, remedy } = finding;
  return [
    `${paint(io.stdout, 'red', `✗ ${reasonName(finding)}`)}: ${plain(message)}`,
    ...(remedy === '' ? [] : [`  next: ${plain(remedy)}`]),
  ];
}

function printEquivocation(io: Io, { signingInput, otherSigningInput }: Equivocation): void {
  print(io, '\nsigned by one issuer for one task (header.payload, without the signatures):');
  print(io, `  this   ${plain(signingInput)}`);
  print(io, `  before ${otherSigningInput === '' ? 'was not kept' : plain(otherSigningInput)}`);
}
