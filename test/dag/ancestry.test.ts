import { describe, expect, test } from 'vitest';
import { bundleAncestry, combine } from '../../src/dag/index.ts';
import { recording, task } from './graphs.ts';

describe('tasks that came along', () => {
  test('are found by name, and a name that is not known is left out', async () => {
    const a = task('a', [], { wid: 'w1' });
    const found = await bundleAncestry([a]).find(['a', 'b'], 'w1');
    expect([...found]).toEqual([['a', a]]);
  });

  test('of another workflow are found too, so that the link can be rejected', async () => {
    const a = task('a', [], { wid: 'w2' });
    expect((await bundleAncestry([a]).find(['a'], 'w1')).get('a')).toBe(a);
  });
});

describe('several places as one', () => {
  const here = task('a', [], { wid: 'w1', iat: 1 });
  const handedAlong = task('a', [], { wid: 'w1', iat: 2 });
  const free = task('a');
  const foreign = task('a', [], { wid: 'w2' });

  async function winner(...places: (typeof here)[]) {
    return (await combine(...places.map((place) => bundleAncestry([place]))).find(['a'], 'w1')).get('a');
  }

  test('the earlier place wins where both fit alike', async () => {
    expect(await winner(here, handedAlong)).toBe(here);
    expect(await winner(foreign, { ...foreign, wid: 'w3' })).toBe(foreign);
  });

  test('a better fit wins over an earlier place', async () => {
    expect(await winner(foreign, here)).toBe(here);
    expect(await winner(foreign, free)).toBe(free);
    expect(await winner(free, foreign)).toBe(free);
  });

  test('a later source is asked only for what was not found yet, and not at all if nothing is missing', async () => {
    const later = recording(bundleAncestry([]));
    const both = combine(bundleAncestry([here, task('b')]), later.ancestry);
    expect([...(await both.find(['a', 'b', 'c'], 'w1')).keys()]).toEqual(['a', 'b']);
    await both.find(['a'], 'w1');
    expect(later.calls).toEqual([{ jtis: ['b', 'c'], wid: 'w1' }]);
  });
});
