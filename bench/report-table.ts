// The report as one table of medians for a terminal.

import { type Figure, type Goal, holds, type Report, type Side } from './report.ts';
import { mediansOf } from './signature-batches.ts';

const HEAD = ['figure', 'side', 'per s', 'per CPU s', 'p50 ms', 'p99 ms', 'RSS MB', 'ours', 'goal', 'holds'];
/** The first columns hold words, the others numbers. */
const WORD_COLUMNS = 2;
const MB = 1e6;

/** The table, the notes and the machine, with a line feed at the end. */
export function renderTable({ figures, machine, mode, startedAt }: Report): string {
  const rows = [HEAD, ...figures.flatMap(rowsOf)];
  const notes = figures.flatMap(({ name, notes: lines }) => lines.map((line) => `${name}: ${line}`));
  return [
    ...alignColumns(rows),
    '',
    ...notes,
    ...generatorLines(figures),
    '',
    `${startedAt}, ${mode} run: medians of interleaved rounds. "ours" is ours ÷ that side, per second of server CPU time.`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ${machine.h2load}`,
    `load average ${machine.loadBefore.toFixed(2)} before, ${machine.loadAfter.toFixed(2)} after`,
    '',
  ].join('\n');
}

/** Says how far our own generator was from its limit: speeds are those of the servers only while it has time to spare. */
function generatorLines(figures: readonly Figure[]): string[] {
  const shares = figures.flatMap(({ sides }) =>
    sides.flatMap(({ rounds }) => rounds.flatMap(({ generatorBusy }) => generatorBusy ?? [])),
  );
  if (shares.length === 0) return [];
  return [`our own load generator kept its core at most ${Math.round(100 * Math.max(...shares))} % busy`];
}

function rowsOf({ title, unit, sides, goals }: Figure): string[][] {
  const own = goals.filter(({ against }) => !sides.some(({ name }) => name === against));
  const rows = [
    ...sides.flatMap((side) => sideRows(side, goals)),
    ...own.map((goal) => ['', goal.text, '', '', '', '', '', ...goalCells(goal)]),
  ];
  if (rows.length === 0) rows.push(['', 'skipped, see below', '', '', '', '', '', '', '', '']);
  const label = unit === 'tokens' ? `${title}, in tokens` : title;
  return rows.map(([, ...cells], place) => [place === 0 ? label : '', ...cells]);
}

/** A side and, in its line, the goal that is compared with it; more goals follow in lines of their own. */
function sideRows(side: Side, goals: readonly Goal[]): string[][] {
  const { perSecond, perCpuSecond, p50Ms, p99Ms, rssBytes } = mediansOf(side);
  const [first, ...more] = goals.filter(({ against }) => against === side.name);
  const speeds = [perSecond, perCpuSecond].map((value) => Math.round(value).toLocaleString('en'));
  const cells = ['', side.name, ...speeds, millis(p50Ms), millis(p99Ms), String(Math.round(rssBytes / MB))];
  // Where a side has several goals against it, each says in words what it is.
  if (more.length > 0) {
    return [
      [...cells, '', '', ''],
      ...[first!, ...more].map((goal) => ['', `  ${goal.text}`, '', '', '', '', '', ...goalCells(goal)]),
    ];
  }
  return [[...cells, ...(first === undefined ? ['', '', ''] : goalCells(first))]];
}

function goalCells(goal: Goal): string[] {
  return [measured(goal), limitOf(goal), holds(goal) ? 'yes' : 'NO'];
}

/** `1.23 ×`, `42 ms`. */
export function measured({ value, unit }: Goal): string {
  if (value === undefined) return 'none';
  const digits = unit === '×' || unit === 's' ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

/** `≥ 1.1 ×`. */
export function limitOf({ limit, kind, unit }: Goal): string {
  return `${kind === 'at least' ? '≥' : '≤'} ${limit} ${unit}`;
}

function millis(value: number): string {
  return Number.isNaN(value) ? '' : value.toFixed(value < 10 ? 2 : 1);
}

/** Pads every column to its widest cell: words to the right, numbers to the left. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < WORD_COLUMNS ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
