// The worked examples: each is a policy that can be put in force, and decides its cases as they say.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ect } from '../cli/run.ts';

const folder = join(import.meta.dirname, '../../policy/examples');
const names = readdirSync(folder).flatMap((file) => /^(.+)\.cedar$/.exec(file)?.[1] ?? []);

test('there are five', () => {
  expect(names).toHaveLength(5);
});

test.each(names)('%s', async (name) => {
  const limits = join(folder, `${name}.limits.json`);
  const files = [join(folder, `${name}.cedar`), ...(existsSync(limits) ? ['--limits', limits] : [])];
  expect(await ect(['policy', 'check', ...files])).toMatchObject({ code: 0, err: '' });
  const { code, out } = await ect(['policy', 'test', files[0]!, join(folder, `${name}.cases.json`), ...files.slice(1)]);
  expect(out).toMatch(/^(\d+) of \1 cases are decided as expected\n$/);
  expect(code).toBe(0);
});
