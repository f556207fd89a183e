// The README's tour, word for word: its commands run in one shell, against a service that listens elsewhere and keeps its
// data elsewhere, since those of the machine may be in use.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIN, type ServiceProcess, startService } from '../support/service-process.ts';

const root = join(import.meta.dirname, '../..');

let service: ServiceProcess;
let folder = '';
let commands: readonly string[] = [];
/** What each command came to, in order. */
let outcomes: readonly { readonly code: number; readonly out: string }[] = [];

beforeAll(async () => {
  service = await startService();
  folder = await mkdtemp(join(tmpdir(), 'ect-tour-'));
  // Where npx looks for what the package brings along.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const tour = readme.split('\n## A tour\n')[1]?.split('\n## ')[0] ?? '';
  const [steps = '', plain = ''] = [...tour.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block ?? '');
  commands = [...commandsIn(steps), ...commandsIn(plain)];
  outcomes = await run(commands);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The lines of a block without its comments; a line that ends in a backslash goes on. */
function commandsIn(block: string): readonly string[] {
  const lines = block.replaceAll(/\\\n/g, '').split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

async function run(lines: readonly string[]): Promise<typeof outcomes> {
  const script = lines
    .map((line) => (line.startsWith('alias ect=') ? `ect() { node "${MAIN}" "$@"; }` : line))
    .map((line) =>
      line.replaceAll('http://127.0.0.1:8080', service.url).replaceAll('data/ledger.db', '"$DATA"/ledger.db'),
    )
    .map((line) => `${line}\nprintf '\\n---- %s\\n' $?`)
    .join('\n');
  const path = [dirname(process.execPath), join(root, 'node_modules/.bin'), process.env['PATH']].join(':');
  const env = { npm_config_offline: 'true', PATH: path, HOME: folder, ECT_URL: service.url, DATA: service.dataDir };
  const shell = spawn('/bin/bash', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const [out] = await Promise.all([text(shell.stdout), once(shell, 'close')]);
  const parts = out.split(/\n---- (\d+)\n/);
  return lines.map((_, at) => ({ out: parts[2 * at] ?? '', code: Number(parts[2 * at + 1] ?? Number.NaN) }));
}

function outcomeOf(start: string, nth = 0) {
  const at = commands.flatMap((line, index) => (line.startsWith(start) ? [index] : []))[nth];
  return outcomes[at ?? -1] ?? { code: Number.NaN, out: '' };
}

describe('the tour', () => {
  test('every command does what it says; the second verification alone is rejected', () => {
    const replay = commands.findLastIndex((line) => line.startsWith('ect verify $TOKEN --audience'));
    expect(commands.length).toBeGreaterThan(15);
    expect(outcomes.map(({ code }, at) => [commands[at], code])).toEqual(
      commands.map((line, at) => [line, at === replay ? 1 : 0]),
    );
  });

  test('the token is verified once, then it is a replay', () => {
    expect(outcomeOf('ect verify $TOKEN --audience', 0).out).toMatch(/^✓ valid, L2/);
    expect(outcomeOf('ect verify $TOKEN --audience', 1).out).toMatch(/^✗ TOKEN_REPLAYED/);
  });

  test('the workflow has both tasks, in their order', () => {
    expect(outcomeOf('ect dag --wid $WID').out).toMatch(
      /^✓ complete\n(?:.*\n)*\n(\S+) {2}draft_document {2}root\n\S+ {2}review_document {2}after \1\n/,
    );
    expect(outcomeOf('ect dag --wid $WID --mermaid').out).toContain('flowchart');
  });

  test('the receipt and the ledger are checked', () => {
    expect(outcomeOf('ect verify $TOKEN --receipt').out).toMatch(/^✓ recorded: entry \d+ of \d+ \(index \d+\)/);
    expect(outcomeOf('ect audit').out).toContain('✓ every leaf, every commitment and the root hold');
  });

  test('the same service answers curl and buf curl', () => {
    expect(outcomeOf('npx buf curl').out).toContain('"token":');
    expect(outcomeOf('curl', 0).out).toContain('"token":"');
    expect(outcomeOf('curl', 1).out).toContain('"keys":');
  });
});

test('the first screen explains the words of the draft with one picture that fits a terminal, and links the drafts', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const first = readme.split('\n').slice(0, 45).join('\n');
  for (const word of ['ECT', 'task', 'predecessors', 'workflow', 'L1', 'L2', 'L3', 'draft-nennemann-wimse-ect/)']) {
    expect(first).toContain(word);
  }
  const picture = /```text\n(.*?)```/s.exec(first)?.[1] ?? '';
  for (const line of picture.split('\n')) expect(Array.from(line).length).toBeLessThanOrEqual(80);
});
