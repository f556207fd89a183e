// The limits file: groups, and what a permission is tied to.

import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/authority/index.ts';
import { readLimits } from '../../src/policy/index.ts';
import { workload } from '../support/callers.ts';

const A = workload('spiffe://prod.example/a');
const B = workload('spiffe://prod.example/b');
const ANONYMOUS: Caller = { kind: 'anonymous' };

function tableOf(file: object) {
  const read = readLimits(JSON.stringify(file));
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.table;
}

test('the first row that names a caller counts', () => {
  const table = tableOf({
    groups: { g: [{ workload: A.id }] },
    limits: [
      { for: { group: 'g' }, max_ttl_seconds: 60, minimum_level: 'L3' },
      { for: { trust_domain: 'prod.example' }, calls_per_second: 5 },
      { for: 'anonymous', concurrent_calls: 2 },
      { for: 'everyone', max_ttl_seconds: 900 },
    ],
  });
  const of = (caller: Caller) => table.obligationsOf(caller, table.groupsOf(caller));
  expect(of(A)).toEqual({ maxTtlSeconds: 60, minimumLevel: 3 });
  expect(of(B)).toEqual({ callsPerSecond: 5 });
  expect(of(ANONYMOUS)).toEqual({ concurrentCalls: 2 });
  expect(of(workload('spiffe://other.example/a'))).toEqual({ maxTtlSeconds: 900 });
});

describe('S10 a mistake is named by its place', () => {
  test.each([
    ['not JSON', '{', /strict JSON/],
    ['a member twice', '{"limits":[],"limits":[]}', /strict JSON/],
    ['an unknown member', '{"limit":[]}', /^the file: has the unknown member "limit"/],
    [
      'an unknown limit',
      '{"limits":[{"for":"everyone","max_ttl":1}]}',
      /^limits\[0\]: has the unknown member "max_ttl"/,
    ],
    ['a row for nobody', '{"limits":[{"max_ttl_seconds":1}]}', /^limits\[0\]\.for: must be/],
    ['a bare name', '{"limits":[{"for":"spiffe://a.example/b"}]}', /^limits\[0\]\.for: must be/],
    ['a name of no kind', '{"groups":{"g":[{"user":"a"}]}}', /^groups\."g"\[0\]: must be/],
    ['a workload that is none', '{"groups":{"g":[{"workload":"a"}]}}', /SPIFFE ID/],
    ['two kinds at once', '{"groups":{"g":[{"workload":"spiffe://a.example/b","group":"c"}]}}', /must be/],
    ['a group in a group', '{"groups":{"g":[],"h":[{"group":"g"}]}}', /in no other group/],
    ['a group that there is not', '{"limits":[{"for":{"group":"g"}}]}', /no group "g"/],
    ['the group of ECT_ADMINS', '{"groups":{"administrators":[]}}', /ECT_ADMINS/],
    ['a fraction', '{"limits":[{"for":"everyone","calls_per_second":0.5}]}', /whole number from 1/],
    ['a zero', '{"limits":[{"for":"everyone","concurrent_calls":0}]}', /whole number from 1/],
    ['a number as text', '{"limits":[{"for":"everyone","concurrent_calls":"5"}]}', /whole number from 1/],
    ['a level that there is not', '{"limits":[{"for":"everyone","minimum_level":"L4"}]}', /"L1", "L2" or "L3"/],
    ['a burst of no rate', '{"limits":[{"for":"everyone","burst":5}]}', /needs calls_per_second/],
  ])('%s', (_title, text, problem) => {
    const read = readLimits(text);
    expect(read.ok ? [] : read.problems).toEqual([expect.stringMatching(problem)]);
  });
});
