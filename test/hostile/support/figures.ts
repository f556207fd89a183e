// The figures of each attack: one line on the console, and a row of reports/hostile.md.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countFailures, type Fault, latencyLimit, type Measurement, mib, ofKind, percentile } from './verdict.ts';

const FOLDER = join(import.meta.dirname, '../../../reports');
const TABLE = join(FOLDER, 'hostile.md');
const HEAD = [
  'attack',
  'seconds',
  'honest calls',
  'failed',
  'p99 before',
  'p99',
  'limit',
  'worst',
  'worst fresh',
  'RSS MiB',
  'CPU s',
  'written MiB',
  'loop held ms',
  'sent',
  'verdict',
];

/** Vitest calls this once before the first attack of a run: the table begins anew. */
export function setup(): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(TABLE, `| ${HEAD.join(' | ')} |\n|${' --- |'.repeat(HEAD.length)}\n`);
}

/** Prints the figures and adds them to the table. */
export function report(name: string, seen: Measurement, faults: readonly Fault[], fineMs?: number): void {
  const calls = ofKind(seen.attacked, 'call');
  const failed = [...countFailures(seen.attacked).values()].reduce((sum, count) => sum + count, 0);
  const sent = Object.entries(seen.sent).map(([what, count]) => `${what} ${count}`);
  const cells = [
    name,
    seen.seconds.toFixed(0),
    calls.length,
    failed,
    percentile(ofKind(seen.undisturbed, 'call'), 0.99).toFixed(1),
    percentile(calls, 0.99).toFixed(1),
    latencyLimit(seen, fineMs).toFixed(0),
    percentile(calls, 1).toFixed(0),
    percentile(ofKind(seen.attacked, 'fresh'), 1).toFixed(0),
    mib(seen.maxRssBytes),
    seen.cpuSeconds.toFixed(1),
    mib(seen.writtenBytes),
    seen.loopDelayMs.toFixed(0),
    sent.join(', '),
    faults.length === 0 ? 'held' : faults.map(({ text }) => text.slice(0, 160)).join('; '),
  ];
  console.info(`HOSTILE ${HEAD.map((head, at) => `${head}: ${cells[at]}`).join(' | ')}`);
  addRow(cells.map((cell) => String(cell).replaceAll('|', '\\|')));
}

function addRow(cells: readonly string[]): void {
  mkdirSync(FOLDER, { recursive: true });
  appendFileSync(TABLE, `| ${cells.join(' | ')} |\n`);
}
