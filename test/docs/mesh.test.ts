// The README's mesh in five minutes, word for word: its first block runs up to the start of the service, which listens elsewhere here, and
// its second one against that service.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAIN, type ServiceProcess, type Settings, startService } from '../support/service-process.ts';

const root = join(import.meta.dirname, '../..');
const END = '---- ended with ';

interface Outcome {
  readonly command: string;
  readonly code: number;
  readonly out: string;
}

let folder = '';
let service: ServiceProcess;
/** What each command of the second terminal came to, in order. */
let outcomes: readonly Outcome[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ect-mesh-'));
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const chapter = readme.split('\n## In a mesh in five minutes\n')[1]?.split('\n## ')[0] ?? '';
  const [first = '', second = ''] = [...chapter.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '');
  const commands = commandsIn(first);
  const start = commands.pop() ?? '';
  expect(start).toMatch(/^(?:[A-Z_]+=\S+ )+npm start$/);
  for (const { command, code } of await run(commands)) expect([command, code]).toEqual([command, 0]);
  const said = settingsIn(`${await readFile(join(folder, 'mesh.sh'), 'utf8')} ${start}`);
  const here = (name: string) => join(folder, said[name] ?? '');
  const files = ['ECT_TLS_CERT', 'ECT_TLS_KEY', 'ECT_TLS_CLIENT_CA', 'ECT_POLICY_FILE'];
  service = await startService({
    ...said,
    ...Object.fromEntries(files.map((name) => [name, here(name)])),
    ECT_STORE: said['ECT_STORE'],
  });
  const elsewhere = commandsIn(second).map((line) =>
    line === '. ./mesh.sh' ? `${line}; ECT_URL=${service.url}` : line,
  );
  outcomes = await run(elsewhere);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The commands of a block without its comments. One with a document goes on to its end. */
function commandsIn(block: string): string[] {
  const commands = block.match(/^.*<<'END'\n[\s\S]*?\nEND$|^.+$/gm) ?? [];
  return commands.filter((line) => !line.startsWith('#'));
}

function settingsIn(text: string): Settings {
  return Object.fromEntries([...text.matchAll(/\b(ECT_[A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name, value]));
}

async function run(commands: readonly string[]): Promise<readonly Outcome[]> {
  const script = commands
    .map((line) => (line.startsWith('alias ect=') ? `ect() { node "${MAIN}" "$@"; }` : line))
    .map((line) => `${line}\nprintf '\\n${END}%s\\n' $?`)
    .join('\n');
  const env = { PATH: [dirname(process.execPath), process.env['PATH']].join(':'), HOME: folder };
  const shell = spawn('/bin/bash', ['-c', `exec 2>&1\n${script}`], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [out] = await Promise.all([buffer(shell.stdout), once(shell, 'close')]);
  const parts = out.toString('utf8').split(new RegExp(`\\n${END}(\\d+)\\n`));
  return commands.map((command, at) => ({ command, out: parts[2 * at] ?? '', code: Number(parts[2 * at + 1]) }));
}

test('each command ends as the README says', () => {
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0, 1, 1]);
});

test('the permitted call answers a token in the name of the caller', () => {
  const [, , , trade] = outcomes;
  expect(trade?.out).toMatch(/iss +spiffe:\/\/dev\.example\/trader\n/);
});

test('the rejected call says no more than that it may not, and the explanation says why', () => {
  const [rejected, explained] = outcomes.slice(-2);
  expect(rejected?.out).toContain('NOT_AUTHORIZED');
  expect(rejected?.out).not.toContain('only-the-trader-trades');
  expect(explained?.out).toContain('only-the-trader-trades');
});
