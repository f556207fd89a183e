// The demo as a stranger runs it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

test.each([
  ['', []],
  [' over a double of AWS KMS', ['--signer', 'kms']],
])('the demo plays to its end%s, rejects three attacks, and leaves nothing running', async (_, args) => {
  const script = fileURLToPath(new URL('../demo/document-review.ts', import.meta.url));
  const demo = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void demo.kill());
  const printed = Promise.all([buffer(demo.stdout), buffer(demo.stderr)]);
  const [code] = (await once(demo, 'exit')) as [number | null];
  const [out, err] = (await printed).map((bytes) => bytes.toString('utf8')) as [string, string];

  expect(err).toBe('');
  expect(code).toBe(0);
  for (const act of ['draft_document', 'check_facts', 'review_style', 'merge_comments', 'approve_document']) {
    expect(out).toContain(`✓ ${act} `);
  }
  expect(out).toContain('after check_facts and review_style');
  expect(out).toMatch(/^ {2}(flowchart|graph) /m);
  expect(out).toContain('✓ approve_document is entry 7 of 7');
  expect([...out.matchAll(/✓ rejected, ([A-Z_]+):/g)].map(([, reason]) => reason)).toEqual([
    'SIGNATURE_INVALID',
    'TOKEN_REPLAYED',
    'DAG_PREDECESSOR_MISSING',
  ]);
  // A pipe is no terminal, so there are no colours.
  expect(out).not.toContain('\x1b[');
  const pid = Number(/process (\d+),/.exec(out)?.[1]);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test.each(['--help', '-h'])('%s says what the demo does, and plays nothing', async (option) => {
  const script = fileURLToPath(new URL('../demo/document-review.ts', import.meta.url));
  const demo = spawn(process.execPath, [script, option], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void demo.kill());
  const printed = Promise.all([buffer(demo.stdout), buffer(demo.stderr)]);
  const [code] = (await once(demo, 'exit')) as [number | null];
  const [out, err] = (await printed).map((bytes) => bytes.toString('utf8'));
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^Usage: npm run demo -- .*document review.*three attacks.*--signer/s);
});
