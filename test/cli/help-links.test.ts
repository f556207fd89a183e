// What a help page refers to exists: commands, options, documents and their sections; and each page has an example and exit codes.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { groups, leaves } from './leaves.ts';
import { ect } from './run.ts';

const ROOT = join(import.meta.dirname, '../..');

async function pages(): Promise<readonly (readonly [words: readonly string[], page: string])[]> {
  const all = [[], ...(await groups()).map((name) => [name]), ...(await leaves())];
  return Promise.all(
    all.map(async (words) => [words, (await ect(['help', ...words])).out.replace(/\s+/g, ' ')] as const),
  );
}

/** The anchor that GitHub gives a heading. */
function anchorsIn(document: string): ReadonlySet<string> {
  const headings = readFileSync(document, 'utf8').matchAll(/^#+ (.+)$/gm);
  return new Set(
    Array.from(headings, ([, text = '']) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('each document and section that a help page names exists', async () => {
  let found = 0;
  for (const [words, page] of await pages()) {
    for (const [, path = '', anchor] of page.matchAll(/\b(docs\/[\w/-]+\.md)(?:#([\w-]+))?/g)) {
      found += 1;
      expect(existsSync(join(ROOT, path)), `${words.join(' ')}: ${path}`).toBe(true);
      if (anchor !== undefined) expect([...anchorsIn(join(ROOT, path))], words.join(' ')).toContain(anchor);
    }
  }
  expect(found).toBeGreaterThan(10);
});

test('each command that a help page names exists', async () => {
  let found = 0;
  for (const [words, page] of await pages()) {
    for (const [, line = ''] of page.matchAll(/`ect ((?:help )?[a-z][^`]*)`/g)) {
      if (line.includes('<')) continue;
      found += 1;
      const [first = '', second = ''] = line.replace(/^help /, '').split(' ');
      const isGroup = (await groups()).includes(first);
      const named = isGroup && /^[a-z]/.test(second) ? [first, second] : [first];
      expect((await ect(['help', ...named])).code, `${words.join(' ')}: ${line}`).toBe(0);
    }
  }
  expect(found).toBeGreaterThan(0);
});

test('"see" is followed by a command, an option or a document', async () => {
  for (const [words, page] of await pages()) {
    for (const [, what = ''] of page.matchAll(/\b[Ss]ee (.{1,60})/g)) {
      expect(what, words.join(' ')).toMatch(/^(?:`ect |--[a-z]|[\w' ]*\(docs\/)/);
    }
  }
});

test('each page has an example and the exit codes, also that of a group of commands', async () => {
  expect(await groups()).toEqual(expect.arrayContaining(['keys', 'list', 'config', 'policy']));
  for (const name of await groups()) {
    const { out } = await ect(['help', name]);
    expect(out).toMatch(new RegExp(`\\nExamples:\\n.*ect ${name} `));
    expect(out).toMatch(/\nExit codes:\n {2}0 {2}ok.*\n {2}1 {2}.*\n {2}2 {2}wrong usage/);
  }
});
