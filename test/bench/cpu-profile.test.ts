import { describe, expect, test } from 'vitest';
import { type CpuProfile, selfTimes } from '../../bench/cpu-profile.ts';

const node = (id: number, functionName: string, url = '', lineNumber = 0) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

const PROFILE: CpuProfile = {
  startTime: 1000,
  nodes: [
    node(1, '(idle)'),
    node(2, 'mint', 'file:///somewhere/src/token/mint.ts', 9),
    node(3, 'mint', 'file:///somewhere/src/token/mint.ts', 9),
    node(4, 'write', 'file:///somewhere/node_modules/@scope/kit/write.js', 0),
    node(5, 'signOneShot', 'node:internal/crypto/sig', 157),
    node(6, 'writeString'),
  ],
  samples: [4, 2, 1, 3, 5, 6, 4],
  timeDeltas: [100, 100, 500, 100, 100, 100, 100],
};

describe('a CPU profile', () => {
  test('is summed up by function, wherever it was called from, within the time asked for and without waiting', () => {
    expect(selfTimes(PROFILE, 1150, 2050).functions).toEqual([
      { name: 'mint  src/token/mint.ts:10', share: 0.5 },
      { name: 'signOneShot  node:internal/crypto/sig:158', share: 0.25 },
      { name: 'writeString', share: 0.25 },
    ]);
  });

  test('is summed up by whose code it is', () => {
    expect(selfTimes(PROFILE, 0, 9999).owners.map(({ name }) => name)).toEqual([
      '@scope/kit',
      'src/token',
      'node:crypto',
      'native functions',
    ]);
  });
});
