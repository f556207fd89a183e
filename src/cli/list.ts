// `ect list`: lists the entries of the ledger, and its workflows.

import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import { Command, Option } from 'commander';
import { type Entry, EntryKind, EntryOrder, EntrySchema } from '../gen/ect/v1/ledger_pb.ts';
import { type Service, type ServiceOptions, withService } from './client.ts';
import { authorOf, kindName, subjectName, workflowOf } from './entry-rows.ts';
import { WrongUsage } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import {
  type Io,
  type OutputOptions,
  plain,
  print,
  printJson,
  printLine,
  remark,
  withJson,
  withOutput,
} from './output.ts';
import { authorName, count, isUuid, ledgerIndex, lookupId, type Moment, moment } from './values.ts';
import { indexOf, walkEntries } from './walk-entries.ts';

interface ListOptions extends ServiceOptions, OutputOptions {
  readonly wid?: string;
  readonly iss?: string;
  readonly since?: Moment;
  readonly before?: Moment;
  readonly limit?: number;
  readonly from?: bigint;
  readonly kind?: readonly (keyof typeof KINDS)[];
  readonly order?: keyof typeof ORDERS;
}

const KINDS = {
  task: EntryKind.TASK,
  taint: EntryKind.TAINT,
  key: EntryKind.KEY,
  loss: EntryKind.LOSS,
} as const;

const ORDERS = { oldest: EntryOrder.OLDEST_FIRST, newest: EntryOrder.NEWEST_FIRST } as const;

const REFUSED = 'the service could not be reached, or it rejected the request';

export function listCommand(io: Io): Command {
  const command = new Command('list').description('list what the ledger has recorded: entries, or workflows');
  return command.addCommand(entriesCommand(io)).addCommand(workflowsCommand(io));
}

function entriesCommand(io: Io): Command {
  const command = new Command('entries')
    .description('one line an entry: index, time, kind (of a key: what became of it), task or key, workflow, issuer')
    .addOption(new Option('--wid <uuid>', 'only this workflow').argParser(lookupId))
    .addOption(
      new Option('--iss <uri>', 'only tasks of this issuer, and what this administrator stated').argParser(authorName),
    )
    .addOption(new Option('--kind <kind...>', 'only entries of these kinds').choices(Object.keys(KINDS)))
    .addOption(new Option('--from <index>', 'only entries of this index or a greater one').argParser(ledgerIndex))
    .addOption(new Option('--order <order>', 'which come first (default: oldest)').choices(Object.keys(ORDERS)));
  withHelp(withOutput(withService(withRange(command)), 'one entry a line'), {
    examples: [
      'ect list entries --wid "$WID"',
      'ect list entries --since 2026-03-01T00:00:00Z --json | jq .task.name.jti',
      'ect list entries --kind taint key --order newest --limit 10',
    ],
    rejected: REFUSED,
  });
  return command.action((options: ListOptions) =>
    attemptCalls(io, options, async ({ ledger }) => {
      rejectEmptyRange(options);
      let isEmpty = true;
      for await (const entry of walk(ledger, options)) {
        isEmpty = false;
        if (options.json) printLine(io, EntrySchema, entry);
        else print(io, plain(entryLine(entry)));
      }
      if (isEmpty) remark(io, noEntry(options));
    }),
  );
}

function workflowsCommand(io: Io): Command {
  const command = new Command('workflows').description(
    'one line a workflow: its id, its tasks, the times of the first and the last. Reads every entry in the range',
  );
  withHelp(withJson(withService(withRange(command)), WORKFLOW), {
    examples: ['ect list workflows', 'ect list workflows --since 2026-03-01T00:00:00Z'],
    rejected: REFUSED,
  });
  return command.action((options: ListOptions) =>
    attemptCalls(io, options, async ({ ledger }) => {
      rejectEmptyRange(options);
      const workflows = await readWorkflows(ledger, options);
      if (options.json) printJson(io, workflows.map(workflowJson));
      else for (const workflow of workflows) print(io, plain(workflowLine(workflow)));
      if (workflows.length === 0) remark(io, 'no workflow is recorded: a task belongs to one where it has a wid');
    }),
  );
}

/** Says that a list is empty, and which form an id usually has: a list of a misspelt id is empty too. */
function noEntry({ wid }: ListOptions): string {
  const hint = wid === undefined || isUuid(wid) ? '' : '; --wid is not a UUID in lower case, as ids are by default';
  return `no entry of the ledger matches${hint}`;
}

/** Rejects a range in which no entry can be. */
function rejectEmptyRange({ since, before }: ListOptions): void {
  if (since === undefined || before === undefined) return;
  const isEmpty = since.seconds > before.seconds || (since.seconds === before.seconds && since.nanos >= before.nanos);
  if (isEmpty) throw new WrongUsage('--since must be earlier than --before');
}

function withRange(command: Command): Command {
  return command
    .addOption(new Option('--since <time>', 'recorded at this time or later').argParser(moment))
    .addOption(new Option('--before <time>', 'recorded before this time').argParser(moment))
    .addOption(new Option('--limit <number>', 'largest number of entries to read').argParser(count));
}

/** Yields the entries that match the options. */
function walk(
  ledger: Service['ledger'],
  { wid = '', iss = '', since, before, limit, from, kind = [], order = 'oldest' }: ListOptions,
  kinds: EntryKind[] = kind.map((name) => KINDS[name]),
) {
  return walkEntries(
    ledger,
    {
      wid,
      iss,
      kinds,
      order: ORDERS[order],
      fromIndex: from ?? 0n,
      ...(since && { recordedFrom: since }),
      ...(before && { recordedBefore: before }),
    },
    limit,
  );
}

function entryLine(entry: Entry): string {
  const what = [
    kindName(entry).replace(' ', '-'),
    subjectName(entry) || '-',
    workflowOf(entry) || '-',
    authorOf(entry),
  ];
  return [String(indexOf(entry)).padStart(6), isoTime(entry.recordedAt), ...what].join('  ');
}

interface Workflow {
  readonly wid: string;
  readonly tasks: number;
  readonly firstIndex: bigint;
  readonly first: Timestamp | undefined;
  readonly last: Timestamp | undefined;
}

/** Returns the workflows in the order of their first task. */
async function readWorkflows(ledger: Service['ledger'], options: ListOptions): Promise<readonly Workflow[]> {
  const workflows = new Map<string, Workflow>();
  for await (const entry of walk(ledger, options, [EntryKind.TASK])) {
    const { recordedAt } = entry;
    const wid = workflowOf(entry);
    if (wid === '') continue;
    const firstIndex = indexOf(entry);
    const known = workflows.get(wid) ?? { wid, tasks: 0, firstIndex, first: recordedAt, last: undefined };
    workflows.set(wid, { ...known, tasks: known.tasks + 1, last: recordedAt });
  }
  return [...workflows.values()];
}

function workflowLine({ wid, tasks, first, last }: Workflow): string {
  return `${wid}  ${tasks} ${tasks === 1 ? 'task' : 'tasks'}  ${isoTime(first)}  ${isoTime(last)}`;
}

const WORKFLOW = ['wid', 'tasks', 'firstIndex', 'firstRecordedAt', 'lastRecordedAt, of each workflow'];

function workflowJson({ wid, tasks, firstIndex, first, last }: Workflow) {
  return {
    wid,
    tasks,
    firstIndex: String(firstIndex),
    firstRecordedAt: isoTime(first),
    lastRecordedAt: isoTime(last),
  };
}

function isoTime(time: Timestamp | undefined): string {
  return time === undefined ? '-' : new Date(timestampMs(time)).toISOString();
}
