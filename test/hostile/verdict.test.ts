// The rules by which an attack is judged: each of them is noticed when it is broken, and only then.

import { expect, test } from 'vitest';
import type { HonestCall } from './support/honest-caller.ts';
import { readMetrics } from './support/scrape.ts';
import { judge, type Measurement, MIB } from './support/verdict.ts';

const calls = (count: number, ms: number, kind: HonestCall['kind'] = 'call'): readonly HonestCall[] =>
  Array.from({ length: count }, () => ({ kind, at: 0, ms }));

const harmless: Measurement = {
  undisturbed: calls(100, 30),
  attacked: [...calls(100, 60), ...calls(2, 1000, 'fresh')],
  seconds: 6,
  maxRssBytes: 512 * MIB,
  cpuSeconds: 1,
  writtenBytes: 0,
  loopDelayMs: 10,
  internal: 0,
  bugs: 0,
  ended: undefined,
  remains: [],
  sent: {},
};

test('what honest callers do not notice is no fault', () => {
  expect(judge(harmless)).toEqual([]);
  expect(judge({ ...harmless, undisturbed: calls(100, 1), attacked: calls(100, 50) })).toEqual([]);
});

test.each<[string, Partial<Measurement>, boolean]>([
  ['one failed call', { attacked: [...calls(99, 1), { kind: 'call', at: 0, ms: 1, failure: 'UNAVAILABLE' }] }, false],
  ['a p99 over twice the undisturbed one', { attacked: [...calls(98, 1), ...calls(2, 61)] }, true],
  ['a p99 over 50 ms', { undisturbed: calls(100, 1), attacked: calls(100, 51) }, true],
  ['a fresh connection that waits', { attacked: [...calls(100, 1), ...calls(1, 1001, 'fresh')] }, true],
  ['no call at all', { attacked: [] }, false],
  ['memory', { maxRssBytes: 512 * MIB + 1 }, false],
  ['an INTERNAL', { internal: 1 }, false],
  ['a bug', { bugs: 1 }, false],
  ['an end', { ended: 'SIGABRT' }, false],
  ['what remains', { remains: ['900 open descriptors'] }, false],
])('%s is a fault', (_what, seen, isTime) => {
  expect(judge({ ...harmless, ...seen }).map((fault) => fault.isTime)).toEqual([isTime]);
});

test('metrics are summed over the labels that are not asked for', () => {
  const page = '# HELP a x\na{m="x",code="INTERNAL"} 2\na{m="y",code="INTERNAL"} 3\na{m="y",code="OK"} 7\nab 9\n';
  expect(readMetrics(page).sum('a', 'code="INTERNAL"')).toBe(5);
  expect(readMetrics(page).sum('ab')).toBe(9);
  expect(readMetrics(page).sum('none')).toBe(0);
});
