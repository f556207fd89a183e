// `ect conformance`: runs the vectors against a running authority, and prints a table.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type ServiceOptions, withService } from './client.ts';
import { type Outcome, runVector } from './conformance-run.ts';
import { EXIT, Rejected, WrongUsage } from './exit.ts';
import { attempt, attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { type Io, type OutputOptions, paint, plain, print, printJson, remark, withJson } from './output.ts';
import { drawProgress } from './progress.ts';
import { readBytes } from './values.ts';
import { isGraphVector, type Profiles, readProfiles, readVectors, SHIPPED_VECTORS, type Vector } from './vectors.ts';

interface ConformanceOptions extends ServiceOptions, OutputOptions {
  readonly profile: string;
  readonly vectors: string;
  readonly writeTrust?: string;
}

/** How many vectors are sent at the same time. */
const ASKED_AT_ONCE = 16;

export function conformanceCommand(io: Io): Command {
  const command = new Command('conformance')
    .description('run the conformance vectors against a running authority')
    .option('--profile <name>', 'which settings the authority has', 'default')
    .addOption(
      new Option('--vectors <dir>', 'vectors to use instead of those in the package').default(SHIPPED_VECTORS, 'none'),
    )
    .option('--write-trust <file>', 'only write the trusted test keys to a file, for ECT_TRUST_FILE');
  withHelp(withJson(withService(command), ['profile', 'groups']), {
    examples: [
      'ect conformance --write-trust trust.json',
      'ECT_TRUST_FILE=trust.json ect serve   # in another terminal; never with data that matters: the keys are public',
      'ect conformance --url http://127.0.0.1:8080',
    ],
    rejected: 'some answer is not the expected one, or the service could not be reached',
  });
  return command.action((options: ConformanceOptions) =>
    options.writeTrust === undefined ? runAll(io, options) : writeTrust(io, options, options.writeTrust),
  );
}

function writeTrust(io: Io, options: ConformanceOptions, file: string): Promise<void> {
  return attempt(io, options, async () => {
    const settings = settingsOf(await profilesIn(options), options.profile);
    const trust = await readBytes(io, join(options.vectors, 'trust.json'));
    await writeFile(file, trust).catch((cause: NodeJS.ErrnoException) => {
      const message = `${file} cannot be written (${cause.code})`;
      throw new Rejected({
        reason: 'file_unwritable',
        message,
        remedy: 'Name another file with --write-trust.',
        metadata: {},
      });
    });
    const assignments = [['ECT_TRUST_FILE', file], ...Object.entries(settings)].map((pair) => pair.join('='));
    remark(io, `Start the authority with: ${plain(assignments.join(' '))}`);
    remark(io, 'These keys are public: stop the authority when you are done.');
  });
}

function runAll(io: Io, options: ConformanceOptions): Promise<void> {
  return attemptCalls(io, options, async ({ authority }) => {
    settingsOf(await profilesIn(options), options.profile);
    const vectors = (await readVectors(options.vectors)).filter((vector) => isAsked(vector, options));
    const progress = drawProgress(io.stderr, 'vectors');
    const outcomes: Outcome[] = [];
    const waiting = vectors.values();
    const askOn = async () => {
      for (const vector of waiting) {
        outcomes.push(await runVector(authority, vector));
        progress.advance(outcomes.length, vectors.length);
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askOn)).finally(progress.end);
    const groups = groupOutcomes(outcomes);
    if (outcomes.some(({ difference }) => difference !== undefined)) io.exitCode = EXIT.rejected;
    if (options.json) printJson(io, { profile: options.profile, groups: groups.map(writeGroup) });
    else printGroups(io, groups);
  });
}

/** Whether the vector can be sent. A request with an empty token is rejected as a request. */
function isAsked(vector: Vector, { profile }: ConformanceOptions): boolean {
  return vector.profile === profile && (isGraphVector(vector) || vector.token !== '');
}

async function profilesIn({ vectors }: ConformanceOptions): Promise<Profiles> {
  try {
    return await readProfiles(vectors);
  } catch (cause) {
    throw new WrongUsage(`--vectors: ${vectors} is no folder of vectors`, { cause });
  }
}

function settingsOf(profiles: Profiles, name: string): Readonly<Record<string, string>> {
  const settings = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (settings !== undefined) return settings;
  throw new WrongUsage(`--profile must be one of ${Object.keys(profiles).join(', ')}`);
}

interface Group {
  readonly name: string;
  readonly passed: number;
  readonly failed: readonly (Outcome & { readonly difference: object })[];
}

/** Groups the outcomes by the folder of the vector, in order. */
function groupOutcomes(outcomes: readonly Outcome[]): readonly Group[] {
  const sorted = outcomes.toSorted((a, b) => (a.vector.name < b.vector.name ? -1 : 1));
  const byFolder = Map.groupBy(sorted, ({ vector }) => folderOf(vector));
  return Array.from(byFolder, ([name, members]) => {
    const failed = members.filter((outcome): outcome is Group['failed'][number] => outcome.difference !== undefined);
    return { name, passed: members.length - failed.length, failed };
  });
}

function folderOf({ name }: Vector): string {
  return name.slice(0, name.lastIndexOf('/'));
}

function writeGroup({ name, passed, failed }: Group) {
  const failures = failed.map(({ vector, difference }) => ({ name: vector.name, shows: vector.shows, ...difference }));
  return { name, passed, failed: failures };
}

function printGroups(io: Io, groups: readonly Group[]): void {
  const total = {
    name: 'total',
    passed: sum(groups, ({ passed }) => passed),
    failed: groups.flatMap(({ failed }) => failed),
  };
  const width = Math.max(...[...groups, total].map(({ name }) => name.length));
  print(io, `${'group'.padEnd(width)}  passed  failed`);
  for (const { name, passed, failed } of [...groups, total]) {
    const line = `${plain(name).padEnd(width)}  ${String(passed).padStart(6)}  ${String(failed.length).padStart(6)}`;
    print(io, failed.length === 0 ? line : paint(io.stdout, 'red', line));
  }
  for (const { vector, difference } of total.failed) {
    print(io, `\n${paint(io.stdout, 'red', `✗ ${plain(vector.name)}`)}: ${plain(vector.shows)}`);
    print(io, `    expected  ${plain(difference.expected)}`);
    print(io, `    got       ${plain(difference.got)}`);
  }
  if (total.failed.some(({ vector, difference }) => isRoot(vector) && difference.got.startsWith('KEY_UNKNOWN'))) {
    remark(io, 'The authority does not trust the keys of the vectors: see `ect conformance --write-trust`.');
  }
}

function isRoot({ name }: Vector): boolean {
  return name === 'valid/root-task';
}

function sum<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}
