// The tables of docs/scaling.md, from the model and from what was measured.

import { type Costs, type Setup, simulate } from './scaling-model.ts';

/** Measured; docs/scaling.md says where and how. Change them there too. */
export const MEASURED: Costs & Record<'postgresEntryBytes' | 'sqliteEntryBytes', number> = {
  serveMs: 0.13,
  commitMs: 1.6,
  entryMs: 0.023,
  gatherMs: 2,
  maxEntries: 256,
  postgresEntryBytes: 1_690,
  sqliteEntryBytes: 1_543,
};

const USUAL: Setup = {
  replicas: 3,
  callers: 256,
  roundTripMs: 0.5,
  syncMs: 1,
  logs: 1,
  databaseCores: 4,
  seconds: 3,
  seed: 1,
};

const REPLICAS = [1, 2, 3, 5, 8];
const SYNC_MS = [0, 1, 5, 20, 80];
const CALLERS = [1, 16, 64, 256, 1024];
const ROUND_TRIP_MS = [0.2, 0.5, 2, 20, 80];
const LOGS = [1, 2, 4, 8, 16];
const POWERS = [6, 7, 8, 9, 10];

/** Each table by its name on the page, in Markdown. */
export function scalingTables(): Readonly<Record<string, string>> {
  return {
    replicas: replicasTable(() => USUAL.callers),
    'replicas-each': replicasTable((replicas) => USUAL.callers * replicas),
    callers: table(
      ['callers', 'appends/s', 'entries a commit', 'p50', 'p99'],
      CALLERS.map((callers) => [String(callers), ...outcome({ ...USUAL, callers })]),
    ),
    'round-trips': table(
      ['round trip', 'appends/s', 'entries a commit', 'p50', 'p99'],
      ROUND_TRIP_MS.map((roundTripMs) => [`${roundTripMs} ms`, ...outcome({ ...USUAL, roundTripMs })]),
    ),
    logs: table(
      ['ledgers', '4 cores', '16 cores'],
      LOGS.map((logs) => [
        String(logs),
        ...[4, 16].map((databaseCores) => {
          const setup = { ...USUAL, logs, databaseCores, replicas: 16, callers: 2_048 };
          return speed(simulate(MEASURED, setup).perSecond);
        }),
      ]),
    ),
    sizes: table(
      ['entries', 'PostgreSQL', 'SQLite', 'hashes of an inclusion proof, at most', 'time at 1,000 appends/s'],
      POWERS.map((power) => {
        const entries = 10 ** power;
        return [
          `10^${power}`,
          bytes(entries * MEASURED.postgresEntryBytes),
          bytes(entries * MEASURED.sqliteEntryBytes),
          String(hashesOfProof(entries)),
          days(entries / 1_000),
        ];
      }),
    ),
  };
}

function replicasTable(callersOf: (replicas: number) => number): string {
  return table(
    ['a commit waits', ...REPLICAS.map((count) => (count === 1 ? '1 replica' : `${count} replicas`))],
    SYNC_MS.map((syncMs) => [
      `${syncMs} ms`,
      ...REPLICAS.map((replicas) => {
        const setup = { ...USUAL, replicas, syncMs, callers: callersOf(replicas) };
        const { perSecond, entriesPerCommit } = simulate(MEASURED, setup);
        return `${speed(perSecond)} (${Math.round(entriesPerCommit)})`;
      }),
    ]),
  );
}

/** A page with its tables made anew: each stands below a comment `<!-- table: name -->`, up to the next empty line. */
export function withTables(page: string, tables = scalingTables()): string {
  return Object.entries(tables).reduce((text, [name, rows]) => {
    const marker = `<!-- table: ${name} -->\n`;
    const start = text.indexOf(marker);
    if (start < 0) throw new TypeError(`the page has no ${marker.trim()}`);
    const from = start + marker.length;
    const end = text.indexOf('\n\n', from);
    return `${text.slice(0, from)}${rows}${end < 0 ? '\n' : text.slice(end)}`;
  }, page);
}

function outcome(setup: Setup): string[] {
  const { perSecond, entriesPerCommit, p50Ms, p99Ms } = simulate(MEASURED, setup);
  return [speed(perSecond), String(Math.round(entriesPerCommit)), millis(p50Ms), millis(p99Ms)];
}

/** To two digits that mean something. */
function speed(perSecond: number): string {
  const step = perSecond < 1_000 ? 10 : 100;
  return (Math.round(perSecond / step) * step).toLocaleString('en');
}

function millis(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function bytes(value: number): string {
  const [unit, name] = value < 1e12 ? [1e9, 'GB'] : [1e12, 'TB'];
  const amount = value / unit;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${name}`;
}

function days(seconds: number): string {
  if (seconds < 86_400) return `${(seconds / 3_600).toFixed(1)} h`;
  const amount = seconds / 86_400;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} days`;
}

/** The depth of a tree of so many leaves. */
function hashesOfProof(entries: number): number {
  let depth = 0;
  for (let leaves = 1; leaves < entries; leaves *= 2) depth++;
  return depth;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
