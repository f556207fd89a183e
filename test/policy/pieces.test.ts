// A large policy file is read in pieces, between which calls are served. What is wrong with it is found at the same places.

import { expect, test } from 'vitest';
import { readPolicy, readPolicyInSlices } from '../../src/policy/cedar.ts';

const rule = (nth: number, attribute = 'exec_act') =>
  `// é ${nth}\n@id("rule ${nth}")\nforbid (principal, action == ECT::Action::"Issue", resource) when { context.${attribute} == "${nth}" };\n`;
const file = (wrong: readonly number[]) =>
  Array.from({ length: 450 }, (_, nth) => rule(nth, wrong.includes(nth) ? 'exec_akt' : 'exec_act')).join('');

test('a file of more policies than one piece is read as a whole', async () => {
  const [whole, inSlices] = [readPolicy(file([])), await readPolicyInSlices(file([]))];
  const ids = Array.from({ length: 450 }, (_, nth) => `rule ${nth}`);
  for (const read of [whole, inSlices]) expect(read.ok && read.policy.policies.map(({ id }) => id)).toEqual(ids);
});

test('mistakes in any piece have their lines and columns in the file', async () => {
  const read = await readPolicyInSlices(file([0, 99, 100, 399, 449]));
  const places = read.ok ? [] : read.problems.map(({ line, column }) => [line, column]);
  const [, first] = places[0]!;
  expect(places).toEqual([0, 99, 100, 399, 449].map((nth) => [3 * nth + 3, first]));
});

test('other work of the event loop runs between two pieces', async () => {
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  await readPolicyInSlices(file([]));
  clearInterval(counting);
  expect(turns).toBeGreaterThanOrEqual(9);
});
