// The Connect conformance runner, a stranger that knows the gRPC protocol well, against its own service behind both transports.

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILD_MS, runProgram } from '../interop/run-program.ts';
import { TRANSPORTS } from '../transport/parity/both-transports.ts';
import { DEVIATIONS } from './deviations.ts';

const RUNNER = 'connectrpc.com/conformance';
const VERSION = 'v1.0.7';
/** How many cases this version has for our configuration. */
const CASES = 116;

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const CONFIG = fileURLToPath(new URL('config.yaml', import.meta.url));
const CHILD = fileURLToPath(new URL('conformance-child.ts', import.meta.url));

/** The runner needs a newer Go than some machines have; from 1.21 on Go fetches the one that a module asks for. */
function goIsRecent(): boolean {
  const { stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  const [, minor = '0'] = /^go1\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(minor) >= 21;
}

interface Complaint {
  /** The name of the case without its permutation: `Errors/unary/not-found`. */
  readonly about: string;
  readonly text: string;
}

/** What the runner has to say: indented once under the name of a case. What is indented further explains it. */
function complaintsIn(output: string): readonly Complaint[] {
  const complaints: Complaint[] = [];
  let about = '';
  for (const line of output.split('\n')) {
    const name = /^FAILED: (.*):$/.exec(line)?.[1];
    if (name !== undefined) about = name.replaceAll(/\/(\w+:[\w]+|\([^)]*\))(?=\/)/g, '');
    else if (/^\t[^\s+-]/.test(line) && about !== '') complaints.push({ about, text: line.trim() });
    else if (!line.startsWith('\t')) about = '';
  }
  return complaints;
}

const isAbout =
  ({ about, text }: Complaint) =>
  ({ cases, complaint }: (typeof DEVIATIONS)[number]) =>
    (cases === undefined || cases.test(about)) && complaint.test(text);

if (!goIsRecent()) console.warn('SKIPPED: the conformance runner needs go 1.21 or later on the PATH');

describe.skipIf(!goIsRecent())('the Connect conformance runner', () => {
  let folder: string;
  const heard: Complaint[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ect-conformance-'));
    const go = (args: readonly string[]) =>
      runProgram('go', args, { cwd: folder, env: { GOBIN: folder }, limitMs: BUILD_MS });
    const installed = await go(['install', `${RUNNER}/cmd/connectconformance@${VERSION}`]);
    expect(installed.code, installed.stderr).toBe(0);
    const { stdout } = await go(['mod', 'download', '-json', `${RUNNER}@${VERSION}`]);
    // The service is described by the runner's own protos; nothing of them is kept here.
    const protos = join((JSON.parse(stdout) as { readonly Dir: string }).Dir, 'proto');
    const buf = join(REPOSITORY, 'node_modules/.bin/buf');
    const built = await runProgram(buf, ['build', protos, '-o', join(folder, 'descriptors.binpb')], { cwd: folder });
    expect(built.code, built.stderr).toBe(0);
  }, 2 * BUILD_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(TRANSPORTS)('finds nothing over the %s transport but what is known and meant', async (transport) => {
    const server = [process.execPath, CHILD, transport, join(folder, 'descriptors.binpb')];
    const args = ['--mode', 'server', '--conf', CONFIG, '--', ...server];
    const { stdout, stderr } = await runProgram(join(folder, 'connectconformance'), args);
    const output = `${stdout}\n${stderr}`;
    expect(output).toMatch(new RegExp(`^Total cases: ${CASES}$`, 'm'));
    const complaints = complaintsIn(output);
    expect(complaints.filter((complaint) => !DEVIATIONS.some(isAbout(complaint)))).toEqual([]);
    const failed = Number(/^\d+ passed, (\d+) failed/m.exec(output)?.[1]);
    expect(output.match(/^FAILED: /gm)).toHaveLength(failed);
    heard.push(...complaints);
  });

  test('every deviation is still one', () => {
    const idle = DEVIATIONS.filter((deviation) => !heard.some((complaint) => isAbout(complaint)(deviation)));
    expect(idle).toEqual([]);
  });
});
