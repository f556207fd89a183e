// docs/clients.md shows the programs of examples/clients as they are. test/examples/clients runs them by the commands of that page.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/clients.md'), 'utf8');
const shown = new Map(
  [...page.matchAll(/^\[(examples\/clients\/[^\]]+)\]\(\.\.\/\1\):\n\n```\w+\n(.*?)^```$/gms)].map(
    ([, file = '', program = '']) => [file, program],
  ),
);
const programs = readdirSync(join(root, 'examples/clients'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:py|go|ts|java)$/.test(file) && !/\/(?:gen|types|target|ect)\//.test(file))
  .map((file) => `examples/clients/${file}`)
  .sort();

describe('docs/clients.md', () => {
  test('shows every program of examples/clients, and no other', () => {
    expect([...shown.keys()].sort()).toEqual(programs);
    expect(programs).toHaveLength(5);
  });

  test.each(programs)('%s is shown word for word', (file) => {
    expect(shown.get(file)).toBe(readFileSync(join(root, file), 'utf8'));
  });
});
