// The replay guard in memory: the contract, and its bound.

import { describe, expect, test } from 'vitest';
import { MemoryReplayGuard } from '../../../src/stores/memory/index.ts';
import { replayGuardContract, tokenUse } from '../../contracts/replay-guard.ts';

replayGuardContract('MemoryReplayGuard', async () => {
  const guard = new MemoryReplayGuard(2_000);
  return { guard, dispose: () => guard.close() };
});

describe('MemoryReplayGuard is bounded', () => {
  const NOW = 1_000;

  test('R7: full of live uses it rejects a new one, and forgets none of them', async () => {
    const guard = new MemoryReplayGuard(100);
    for (let n = 0; n < 100; n++) await guard.claim(tokenUse({ jti: `${n}` }), NOW + n, NOW);
    for (let n = 0; n < 10; n++) {
      const claim = guard.claim(tokenUse({ jti: `one more ${n}` }), NOW + 60, NOW);
      await expect(claim).rejects.toMatchObject({ reason: 'REPLAY_GUARD_FULL' });
    }
    for (let n = 0; n < 100; n++) expect(await guard.claim(tokenUse({ jti: `${n}` }), NOW + n, NOW)).toBe('replayed');
  });

  test('R7: as soon as one use is over there is room for one', async () => {
    const guard = new MemoryReplayGuard(2);
    await guard.claim(tokenUse({ jti: 'long' }), NOW + 60, NOW);
    await guard.claim(tokenUse({ jti: 'short' }), NOW + 5, NOW);
    await expect(guard.claim(tokenUse({ jti: 'new' }), NOW + 60, NOW + 5)).rejects.toMatchObject({
      reason: 'REPLAY_GUARD_FULL',
    });
    expect(await guard.claim(tokenUse({ jti: 'new' }), NOW + 60, NOW + 6)).toBe('fresh');
    expect(await guard.claim(tokenUse({ jti: 'long' }), NOW + 60, NOW + 60)).toBe('replayed');
  });

  test('uses that end in any order are forgotten in the order of their ends', async () => {
    const guard = new MemoryReplayGuard(1_000);
    const endOf = (n: number) => NOW + 1 + ((n * 7_919) % 1_000);
    for (let n = 0; n < 1_000; n++) await guard.claim(tokenUse({ jti: `${n}` }), endOf(n), NOW);
    // At each second exactly one use has ended, so exactly one more fits in.
    for (let second = 2; second <= 1_001; second++) {
      const now = NOW + second;
      expect(await guard.claim(tokenUse({ jti: `new ${second}` }), NOW + 5_000, now)).toBe('fresh');
      await expect(guard.claim(tokenUse({ jti: 'one more' }), NOW + 5_000, now)).rejects.toMatchObject({
        reason: 'REPLAY_GUARD_FULL',
      });
    }
  });

  test('a task that was claimed again after its end keeps the new end', async () => {
    const guard = new MemoryReplayGuard(10);
    await guard.claim(tokenUse(), NOW, NOW);
    await guard.claim(tokenUse(), NOW + 100, NOW + 1);
    for (let n = 0; n < 5; n++) await guard.claim(tokenUse({ jti: `${n}` }), NOW + 100, NOW + 2);
    expect(await guard.claim(tokenUse(), NOW + 100, NOW + 100)).toBe('replayed');
  });

  test('R7: over its room for signing inputs a use still counts; an equivocation with it shows one side only', async () => {
    const guard = new MemoryReplayGuard(100, 25);
    await guard.claim(tokenUse({ jti: 'kept', content: 'x'.repeat(20) }), NOW, NOW);
    await guard.claim(tokenUse({ jti: 'cut', content: 'y'.repeat(20) }), NOW + 60, NOW);
    await guard.claim(tokenUse({ jti: 'fits', content: 'z'.repeat(5) }), NOW + 60, NOW);
    expect(await guard.claim(tokenUse({ jti: 'cut', content: 'y'.repeat(20) }), NOW + 60, NOW)).toBe('replayed');
    expect(await guard.look(tokenUse({ jti: 'kept' }), NOW)).toEqual({ firstSigningInput: 'x'.repeat(20) });
    expect(await guard.look(tokenUse({ jti: 'cut' }), NOW)).toEqual({ firstSigningInput: '' });
    expect(await guard.look(tokenUse({ jti: 'fits' }), NOW)).toEqual({ firstSigningInput: 'zzzzz' });
    // What is over makes room again.
    await guard.claim(tokenUse({ jti: 'later', content: 'w'.repeat(20) }), NOW + 60, NOW + 1);
    expect(await guard.look(tokenUse({ jti: 'later' }), NOW + 1)).toEqual({ firstSigningInput: 'w'.repeat(20) });
  });

  test('a capacity that is no whole number above 0 is rejected', () => {
    for (const capacity of [0, -1, 1.5, Number.NaN]) expect(() => new MemoryReplayGuard(capacity)).toThrow(TypeError);
  });
});
