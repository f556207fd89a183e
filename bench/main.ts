// The benchmark: ours beside rivals that are built in the same run, one table of medians, a verdict for each goal.
// Exit codes: 0 measured (a missed goal is a finding, not a failure), 1 could not measure, 2 cannot start.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPem } from '../src/signers/local/index.ts';
import { FIGURES } from './figures/index.ts';
import { h2loadVersion } from './h2load.ts';
import { describeMachine, loadNow } from './machine.ts';
import { type Options, readOptions, UsageError } from './options.ts';
import type { Figure, Report } from './report.ts';
import { renderHtml } from './report-html.ts';
import { renderTable } from './report-table.ts';

const NO_H2LOAD = `The benchmark drives its servers with h2load, which is not installed.
Debian and Ubuntu: apt-get install nghttp2-client. Others: it is part of nghttp2.`;

async function measure(options: Options, h2load: string): Promise<Report> {
  const startedAt = new Date().toISOString();
  const loadBefore = loadNow();
  const folder = await mkdtemp(join(tmpdir(), 'ect-bench-'));
  try {
    const bench = { folder, keyFile: join(folder, 'signing-key.pem') };
    await writeFile(bench.keyFile, generateKeyPem(), { mode: 0o600 });
    const figures: Figure[] = [];
    for (const name of options.figures) {
      process.stderr.write(`measuring ${name} …\n`);
      figures.push(await FIGURES[name]!(bench, options.plan));
    }
    return { startedAt, mode: options.plan.mode, machine: describeMachine(h2load, loadBefore), figures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const h2load = await h2loadVersion();
  if (h2load === undefined) throw new UsageError(NO_H2LOAD);
  const report = await measure(options, h2load);
  process.stdout.write(renderTable(report));
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, `${JSON.stringify(report, undefined, 2)}\n`);
  if (options.htmlFile !== undefined) await writeFile(options.htmlFile, renderHtml(report));
}

try {
  await main();
} catch (error) {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  process.stderr.write(
    `${error instanceof UsageError ? error.message : `could not measure: ${(error as Error).stack}`}\n`,
  );
}
