// The list of words that are not used, and the sources that must not use them.

import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const GLOSSARY = 'docs/glossary.md';
const CHAPTER = '## Words that are not used';
const SELF = 'test/docs/words.test.ts';

const words = readFileSync(join(root, GLOSSARY), 'utf8')
  .split(CHAPTER)[1]!
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => [...line.split(' | ')[0]!.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));

/** A name with a capital letter counts as it is spelled; a phrase also at the start of a sentence. Both count as whole words. */
const isName = (word: string) => /[A-Z#]/.test(word);
const patterns = [
  new RegExp(`(?<![\\w-])(?:${words.filter(isName).join('|')})(?!\\w)`, 'g'),
  new RegExp(`(?<![\\w-])(?:${words.filter((word) => !isName(word)).join('|')})(?!\\w)`, 'gi'),
];
const wordsIn = (text: string) => patterns.flatMap((pattern) => text.match(pattern) ?? []);

test('the list has words, each once', () => {
  expect(words.length).toBeGreaterThan(30);
  expect(new Set(words).size).toBe(words.length);
});

test('a word is found as such, and not in a longer one', () => {
  expect(wordsIn('Whoever asks: a.giveBack(1)')).toEqual(['giveBack', 'Whoever']);
  expect(wordsIn('the event clock-believed, believedMs and doubtful')).toEqual([]);
});

test('sources, tests, documents and the API use none of them', async () => {
  const found: string[] = [];
  const code = '{src,test,bench,demo,examples,kms-double,policy,scripts,vectors}/**/*.{ts,md,py,go,java,js,sh,cedar}';
  const files = [code, 'docs/**/*.md', 'proto/ect/**/*.proto', '*.md'];
  const exclude = ['src/gen/**', '**/node_modules/**', GLOSSARY, SELF, 'CHANGELOG.md'];
  for await (const file of glob(files, { cwd: root, exclude })) {
    for (const [at, line] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
      for (const word of wordsIn(line)) found.push(`${file}:${at + 1}: ${word}`);
    }
  }
  expect(found).toEqual([]);
});
