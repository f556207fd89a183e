import { describe, expect, test } from 'vitest';
import { bundleAncestry, examineTask, examineWorkflow, rejectionOf } from '../../src/dag/index.ts';
import { nameSome } from '../../src/dag/report.ts';
import { chain, named, task } from './graphs.ts';

test('a message names five tasks at most and counts the others', () => {
  expect(nameSome(named('a', 'b', 'c', 'd', 'e'))).toBe('a, b, c, d, e');
  expect(nameSome(named('a', 'b', 'c', 'd', 'e', 'f'))).toBe('a, b, c, d, e and 1 more');
});

describe('a report as a rejection', () => {
  test('a complete graph is not rejected', async () => {
    expect(rejectionOf(await examineWorkflow(chain(3)), { complete: true })).toBeUndefined();
  });

  test('the first broken rule is the reason, whatever was demanded', async () => {
    const report = await examineTask(task('a', ['a', 'x']), bundleAncestry([]), { exists: true });
    for (const complete of [true, false]) {
      expect(rejectionOf(report, { complete })).toMatchObject({ reason: 'DAG_DUPLICATE_TASK', metadata: { jti: 'a' } });
    }
  });

  test('a missing predecessor is rejected only where completeness is demanded', async () => {
    const pred = Array.from({ length: 7 }, (_, at) => `p${at}`);
    const report = await examineTask(task('a', pred), bundleAncestry([]), { exists: false });
    expect(rejectionOf(report, { complete: false })).toBeUndefined();
    expect(rejectionOf(report, { complete: true })).toEqual({
      reason: 'DAG_PREDECESSOR_MISSING',
      message: 'Not found among the predecessors: p0, p1, p2, p3, p4 and 2 more.',
      metadata: { pred: 'p0' },
    });
  });
});
