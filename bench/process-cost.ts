// What a process has cost so far: CPU time of all its threads, and of the workers that it has started, and its memory.

import { readdir, readFile } from 'node:fs/promises';

/** Linux reports CPU time to programs in hundredths of a second, whatever its own clock is. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

export interface ProcessCost {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** The cost of a process and its living descendants. An ended process costs what its parent has inherited from it. */
export async function costOf(pid: number): Promise<ProcessCost> {
  const [stat, status, children] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
    childrenOf(pid),
  ]);
  const below = sum(await Promise.all(children.map(costOfChild)));
  return {
    cpuSeconds: below.cpuSeconds + readCpuSeconds(stat),
    rssBytes: below.rssBytes + readRssBytes(status),
  };
}

/** The cost of several processes together. */
export async function costOfAll(pids: readonly number[]): Promise<ProcessCost> {
  return sum(await Promise.all(pids.map(costOf)));
}

/** A child may end between the listing and the reading: a database ends processes of its own all the time. */
async function costOfChild(pid: number): Promise<ProcessCost> {
  try {
    return await costOf(pid);
  } catch (error) {
    if (!isGone(error)) throw error;
    return { cpuSeconds: 0, rssBytes: 0 };
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}

function sum(costs: readonly ProcessCost[]): ProcessCost {
  return {
    cpuSeconds: costs.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0),
    rssBytes: costs.reduce((total, { rssBytes }) => total + rssBytes, 0),
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((thread) => readChildren(pid, thread)));
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

/** A thread may end between the listing and the reading. */
async function readChildren(pid: number, thread: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/task/${thread}/children`, 'utf8');
  } catch {
    return '';
  }
}

/** Reads `/proc/<pid>/stat`: fields 14 to 17 are utime, stime and the same of children that have ended. */
export function readCpuSeconds(stat: string): number {
  // The second field is the program's name in brackets; it may hold blanks and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).map(Number);
  if (stat.lastIndexOf(')') < 0 || ticks.length !== 4 || ticks.some((value) => !Number.isInteger(value))) {
    throw new TypeError('this is not the stat line of a process');
  }
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** Reads the `VmRSS` line of `/proc/<pid>/status`. A process that is ending, or was not waited for yet, has none. */
export function readRssBytes(status: string): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kib === undefined && /^State:/m.test(status)) return 0;
  if (kib === undefined) throw new TypeError('this is not the status of a running process');
  return Number(kib) * KIB;
}
