import { tmpdir } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { EctError } from '../../src/errors.ts';
import { FreeSpace, measureVolume } from '../../src/limits/free-space.ts';

const MIB = 1024 * 1024;

/** The space of a disk whose free bytes a test sets. Nothing is measured by itself. */
async function makeSpace(free: number, total: number, floorBytes?: number) {
  const disk = { free, total, fails: false };
  const reported: (readonly [free: number, floor: number, changed: boolean])[] = [];
  const space = await FreeSpace.open({
    floorBytes,
    measure: async () => {
      if (disk.fails) throw new Error('no such directory');
      return { ...disk };
    },
    onMeasured: ({ free, floor }, changed) => reported.push([free, floor, changed]),
    intervalMs: 1_000_000,
  });
  onTestFinished(() => space.stop());
  return { disk, reported, space };
}

describe('H27: a floor of free space', () => {
  test.each([
    ['a large disk', 100_000 * MIB, 512 * MIB],
    ['a disk of 5 GiB', 5_120 * MIB, 512 * MIB],
    ['a small volume', 1_000 * MIB, 100 * MIB],
    ['a tiny volume', 40 * MIB, 4 * MIB],
  ])('of %s is 512 MiB, but no more than a tenth', async (_title, total, floor) => {
    expect((await makeSpace(total, total)).reported).toEqual([[total, floor, false]]);
    expect((await makeSpace(floor, total)).space.hasRoom()).toBe(false);
    expect((await makeSpace(floor + 1, total)).space.hasRoom()).toBe(true);
  });

  test('that the operator sets is taken as it is, also none', async () => {
    expect((await makeSpace(90 * MIB, 100 * MIB, 90 * MIB)).space.hasRoom()).toBe(false);
    expect((await makeSpace(MIB + 1, 100 * MIB, 0)).space.hasRoom()).toBe(true);
    // A commit needs some space, or it fails half-way.
    expect((await makeSpace(MIB, 100 * MIB, 0)).space.hasRoom()).toBe(false);
  });

  test('rejects with STORAGE_FULL, and what was written since the measurement counts', async () => {
    const { space } = await makeSpace(17 * MIB, 100 * MIB);
    space.wrote(2 * MIB);
    expect(space.hasRoom()).toBe(true);
    space.demand();
    space.wrote(MIB);
    expect(space.hasRoom()).toBe(false);
    expect(() => space.demand()).toThrow(expect.objectContaining({ reason: 'STORAGE_FULL' }) as EctError);
  });

  test('A9 leaves half of itself to the proofs of callers, who could not even read without', async () => {
    const full = expect.objectContaining({ reason: 'STORAGE_FULL' }) as EctError;
    const { disk, space } = await makeSpace(8 * MIB, 100 * MIB);
    expect(() => space.demand()).toThrow(full);
    space.demandForProof();
    space.wrote(MIB);
    expect(() => space.demandForProof()).toThrow(full);
    disk.free = 5 * MIB;
    await space.measure();
    expect(() => space.demandForProof()).toThrow(full);
    // A reserve that the operator has made larger is for what callers write, and stops nobody who reads.
    const { space: large } = await makeSpace(90 * MIB, 100 * MIB, 1_000 * MIB);
    expect(() => large.demand()).toThrow(full);
    large.demandForProof();
  });

  test('ends by itself once there is somewhat more space, and each change is reported once', async () => {
    const { disk, space, reported } = await makeSpace(12 * MIB, 100 * MIB);
    const look = async (free: number) => {
      disk.free = free;
      await space.measure();
      return space.hasRoom();
    };
    expect(await look(10 * MIB)).toBe(false);
    expect(await look(10.2 * MIB)).toBe(false);
    expect(await look(10.8 * MIB)).toBe(true);
    expect(await look(10.2 * MIB)).toBe(true);
    expect(reported.map(([, , changed]) => changed)).toEqual([false, true, false, true, false]);
  });

  test('what was last measured holds while the disk cannot be asked', async () => {
    const { disk, space } = await makeSpace(1, 100 * MIB);
    disk.fails = true;
    await space.measure();
    expect(space.hasRoom()).toBe(false);
  });

  test('is measured on the file system of a directory', async () => {
    const { free, total } = await measureVolume(tmpdir());
    expect(free).toBeGreaterThan(0);
    expect(total).toBeGreaterThanOrEqual(free);
  });
});
