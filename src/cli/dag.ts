// `ect dag`: validates the graph of a token, of a recorded workflow or of a bundle of tokens, and draws it.

import { create } from '@bufbuild/protobuf';
import { Command, Option } from 'commander';
import {
  GraphFormat,
  type ValidateDAGRequest,
  type ValidateDAGResponse,
  ValidateDAGResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../gen/ect/v1/error_reason_pb.ts';
import { type DagReport, DagReportSchema, DagStatus, Level } from '../gen/ect/v1/token_pb.ts';
import { peekLinks } from '../token/index.ts';
import { type Service, type ServiceOptions, withService } from './client.ts';
import { dagLines, dagStatusName, levelName, taskNames } from './describe.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import {
  columns,
  type Io,
  type OutputOptions,
  paint,
  plain,
  print,
  printMessage,
  remark,
  withOutput,
} from './output.ts';
import { each, lookupId, readBytes, readText } from './values.ts';
import { walkEntries } from './walk-entries.ts';

interface DagOptions extends ServiceOptions, OutputOptions {
  readonly token?: string;
  readonly wid?: string;
  readonly bundle?: string;
  readonly predToken?: readonly string[];
  readonly mermaid?: true;
  readonly dot?: true;
  readonly allowPartial?: true;
}

export function dagCommand(io: Io): Command {
  const command = new Command('dag')
    .description('validate the graph that tasks form, list the tasks of a workflow, and draw it')
    .addOption(
      new Option('--token <token>', 'the ancestors of this token (text, @file or -)').conflicts(['wid', 'bundle']),
    )
    .addOption(
      new Option('--wid <uuid>', 'every recorded task of this workflow').conflicts('bundle').argParser(lookupId),
    )
    .option('--bundle <file>', 'these tokens alone: a JSON array, or one token a line; - for stdin')
    .addOption(new Option('--pred-token <token>', 'with --token: a predecessor (repeatable)').argParser(each))
    .addOption(new Option('--mermaid', 'print only the graph, as a Mermaid flowchart').conflicts(['dot', 'json']))
    .addOption(new Option('--dot', 'print only the graph, for Graphviz').conflicts('json'))
    .option('--allow-partial', 'exit 0 even if predecessors were not found');
  withHelp(withOutput(withService(command)), {
    examples: ['ect dag --wid "$WID"', 'ect dag --wid "$WID" --dot | dot -Tsvg > workflow.svg'],
    rejected: 'the graph is invalid or only partial, or the service could not be reached',
  });
  return command.action((options: DagOptions) =>
    attemptCalls(io, options, async (service) => {
      const subject = await readSubject(io, options);
      const predecessorTokens = await Promise.all((options.predToken ?? []).map((token) => readText(io, token)));
      const response = await service.authority.validateDAG({
        subject,
        predecessorTokens,
        graphFormat: options.mermaid ? GraphFormat.MERMAID : options.dot ? GraphFormat.DOT : GraphFormat.UNSPECIFIED,
      });
      const report = response.dagReport ?? create(DagReportSchema);
      if (!passes(report, options)) io.exitCode = EXIT.rejected;
      if (options.json) printMessage(io, ValidateDAGResponseSchema, response);
      else if (options.mermaid || options.dot) printGraph(io, response, report);
      else {
        printReport(io, response, report);
        await printTasks(io, service, subject, predecessorTokens);
      }
    }),
  );
}

async function readSubject(io: Io, { token, wid, bundle }: DagOptions): Promise<ValidateDAGRequest['subject']> {
  if (token !== undefined) return { case: 'token', value: await readText(io, token) };
  if (wid !== undefined) return { case: 'wid', value: wid };
  if (bundle === undefined) throw new WrongUsage('name a graph: --token, --wid or --bundle');
  const tokens = parseBundle((await readBytes(io, bundle)).toString('utf8'));
  return { case: 'bundle', value: { $typeName: 'ect.v1.TokenBundle', tokens } };
}

function parseBundle(text: string): string[] {
  if (!text.trimStart().startsWith('[')) return text.split(/\s+/).filter((token) => token !== '');
  let tokens: unknown;
  try {
    tokens = JSON.parse(text);
  } catch (cause) {
    throw new WrongUsage('--bundle: the file begins like a JSON array, but it is not JSON', { cause });
  }
  const items: readonly unknown[] = Array.isArray(tokens) ? tokens : [];
  const strange = items.findIndex((token) => typeof token !== 'string');
  if (strange >= 0)
    throw new WrongUsage(`--bundle: item ${strange} (from 0) of the JSON array is no text: each is a token`);
  return items as string[];
}

/** Whether the command succeeds: the graph is complete, or partial and the caller allows that. */
function passes({ status }: DagReport, { allowPartial }: DagOptions): boolean {
  return status === DagStatus.COMPLETE || (status === DagStatus.PARTIAL && allowPartial === true);
}

function printGraph(io: Io, { drawing }: ValidateDAGResponse, report: DagReport): void {
  for (const line of drawing.trimEnd().split('\n')) print(io, plain(line));
  if (report.status !== DagStatus.COMPLETE) {
    io.stderr.write(`${[`graph: ${dagStatusName(report.status)}`, ...dagLines(report)].join('\n')}\n`);
  }
}

function printReport(io: Io, response: ValidateDAGResponse, report: DagReport): void {
  const { size, depth, roots, leaves } = response;
  const name = dagStatusName(report.status);
  const complete = report.status === DagStatus.COMPLETE;
  print(io, paint(io.stdout, complete ? 'green' : 'red', `${complete ? '✓' : '✗'} ${name}`));
  const isExamined = depth > 0 || size === 0 || roots.length + leaves.length > 0;
  const isTooLarge =
    !isExamined && report.violations.some(({ finding }) => finding?.reason === ErrorReason.DAG_TOO_DEEP);
  const rows = [
    ['tasks', isTooLarge ? `${size} or more` : String(size)],
    ['longest path', depth === 0 && size > 0 ? 'unknown' : String(depth)],
    ['path level', report.pathLevel === Level.UNSPECIFIED ? '' : levelName(report.pathLevel)],
    ['roots', taskNames(roots)],
    ['leaves', taskNames(leaves)],
  ] as const;
  for (const line of columns(rows)) print(io, `  ${line}`);
  for (const line of dagLines(report)) print(io, line);
}

/** Prints one line for each available task: those of the workflow, or those whose tokens were given. */
async function printTasks(io: Io, { ledger }: Service, subject: ValidateDAGRequest['subject'], along: string[]) {
  print(io);
  if (subject.case === 'bundle') printTokens(io, subject.value.tokens);
  if (subject.case === 'token') printTokens(io, [...along, subject.value]);
  if (subject.case !== 'wid') return;
  let listed = 0;
  for await (const { body } of walkEntries(ledger, { wid: subject.value, withContent: true }, MAX_LISTED + 1)) {
    if (body.case !== 'task' || ++listed > MAX_LISTED) continue;
    const { name, pred, token } = body.value;
    print(io, plain(taskLine({ jti: name?.jti ?? '', pred }, peekLinks(token).exec_act)));
  }
  if (listed > MAX_LISTED)
    remark(io, `the first ${MAX_LISTED}; all of them: ect list entries --wid ${plain(subject.value)}`);
}

/** The maximum number of tasks that are listed on a terminal. */
const MAX_LISTED = 1_000;

function printTokens(io: Io, tokens: readonly string[]): void {
  // An unreadable token is already reported as a violation.
  const tasks = tokens.map(peekLinks).filter(({ jti }) => jti !== '');
  for (const { jti, pred, exec_act } of tasks) print(io, plain(taskLine({ jti, pred }, exec_act)));
}

/** Returns the line of a task: its id, its action and its predecessors. The action is unknown if the token has been erased. */
function taskLine({ jti, pred }: { readonly jti: string; readonly pred: readonly string[] }, action: string): string {
  return `${jti}  ${action === '' ? '(erased)' : action}  ${pred.length === 0 ? 'root' : `after ${pred.join(' ')}`}`;
}
