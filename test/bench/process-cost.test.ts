import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { costOf, costOfChild, readCpuSeconds, readRssBytes } from '../../bench/process-cost.ts';

/** Fields 3 to 17 of a stat line: utime, stime, cutime and cstime are the last four. */
const FIELDS = 'S 1 1 1 0 -1 4194304 100 0 0 0 250 50 7 3';

describe('the cost of a process', () => {
  test('is user and system time, its own and that of ended children, in hundredths of a second', () => {
    expect(readCpuSeconds(`42 (node) ${FIELDS} 20 0 11`)).toBeCloseTo(3.1, 10);
  });

  test('a name with blanks and brackets does not shift the fields', () => {
    expect(readCpuSeconds(`42 (a) 9 9 (b c) ${FIELDS} 20 0 11`)).toBeCloseTo(3.1, 10);
  });

  test('anything else than a stat line is rejected', () => {
    expect(() => readCpuSeconds('')).toThrow(TypeError);
    expect(() => readCpuSeconds('42 (node) S 1 1')).toThrow(TypeError);
  });

  test('resident memory is the VmRSS line, in kibibytes', () => {
    expect(readRssBytes('VmPeak:\t  9999 kB\nVmRSS:\t  2048 kB\nVmData:\t 1 kB\n')).toBe(2 * 1024 * 1024);
    expect(() => readRssBytes('Name:\tzombie\n')).toThrow(TypeError);
  });

  test('a process that is ending has no memory left', () => {
    expect(readRssBytes('Name:\tpostgres\nState:\tZ (zombie)\nTgid:\t1\n')).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('the cost of a running process', () => {
  test('grows by the time that the process computes', async () => {
    const outer = process.cpuUsage();
    const before = await costOf(process.pid);
    const inner = process.cpuUsage();
    while (secondsSince(inner) < 0.3);
    const least = secondsSince(inner);
    const after = await costOf(process.pid);
    const most = secondsSince(outer);
    const grown = after.cpuSeconds - before.cpuSeconds;
    // The kernel counts in hundredths of a second.
    expect(grown).toBeGreaterThan(least - 0.03);
    expect(grown).toBeLessThan(most + 0.03);
    expect(after.rssBytes).toBeGreaterThan(10e6);
  });

  test('is nothing for a child that ended before it was looked at, and an error for the process that was asked for', async () => {
    const child = spawn('true', { stdio: 'ignore' });
    await once(child, 'exit');
    expect(await costOfChild(child.pid!)).toEqual({ cpuSeconds: 0, rssBytes: 0 });
    await expect(costOf(child.pid!)).rejects.toThrow('ENOENT');
  });

  test('counts the processes that it has started', async () => {
    const script = 'while (process.cpuUsage().user < 300_000); console.log("spent"); setInterval(() => {}, 2 ** 30)';
    const before = await costOf(process.pid);
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(child.stdout, 'data');
      // One after the other, so that the second has all that the first has.
      const own = await costOf(child.pid!);
      const all = await costOf(process.pid);
      expect(own.cpuSeconds).toBeGreaterThan(0.2);
      expect(all.cpuSeconds - before.cpuSeconds).toBeGreaterThanOrEqual(own.cpuSeconds - 0.03);
      expect(all.rssBytes).toBeGreaterThan(own.rssBytes);
    } finally {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    }
  });
});

function secondsSince(earlier: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(earlier);
  return (user + system) / 1e6;
}
