import { describe, expect, test } from 'vitest';
import { bundleAncestry, DEFAULT_DAG_POLICY, examineTask, examineWorkflow } from '../../src/dag/index.ts';
import { chain, task } from './graphs.ts';

async function levelOf(own: Parameters<typeof examineTask>[0], others: Parameters<typeof bundleAncestry>[0]) {
  return (await examineTask(own, bundleAncestry(others), { exists: false })).pathLevel;
}

describe('the level of a path', () => {
  test('is that of its weakest task, however far back', async () => {
    const [root, ...others] = chain(5);
    expect(await levelOf(task('own', ['c4']), [root!, ...others])).toBe('L3');
    expect(await levelOf(task('own', ['c4']), [{ ...root!, level: 'L2' }, ...others])).toBe('L2');
    expect(await levelOf(task('own', ['c4'], { level: 'L2' }), [{ ...root!, level: 'L1' }, ...others])).toBe('L1');
    expect(await levelOf(task('own', ['c4'], { level: 'L2' }), [root!, ...others])).toBe('L2');
  });

  test('is not known where a predecessor is not', async () => {
    expect(await levelOf(task('own', ['x']), [])).toBeUndefined();
  });

  test('is not known where the limit hides ancestors', async () => {
    const policy = { ...DEFAULT_DAG_POLICY, maxAncestors: 2 };
    const report = await examineTask(task('own', ['c4']), bundleAncestry(chain(5)), { exists: false }, { policy });
    expect(report.pathLevel).toBeUndefined();
  });

  test('of a workflow counts what it follows outside of it', async () => {
    const tasks = [task('b', ['a'], { wid: 'w1' })];
    const outside = bundleAncestry([task('a', [], { level: 'L2' })]);
    expect((await examineWorkflow(tasks, outside)).pathLevel).toBe('L2');
  });
});
