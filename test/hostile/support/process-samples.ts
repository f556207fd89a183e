// What a process and its children use, read from /proc: memory, descriptors, processor time, and bytes written.

import { readdir, readFile } from 'node:fs/promises';

export interface ProcessSample {
  /** Resident memory of all processes together; pages that they share with their files count once. */
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly cpuSeconds: number;
  /** What was handed to the disk so far. */
  readonly writtenBytes: number;
}

const TICKS_A_SECOND = 100;

/** Undefined: the process has ended. */
export async function sampleProcess(pid: number): Promise<ProcessSample | undefined> {
  const parts = await Promise.all((await familyOf(pid)).map(sampleOne));
  if (parts[0] === undefined) return undefined;
  const there = parts.filter((part) => part !== undefined);
  const sum = (pick: (part: (typeof there)[number]) => number) => there.reduce((total, part) => total + pick(part), 0);
  return {
    rssBytes: sum(({ anonymous }) => anonymous) + Math.max(...there.map(({ mapped }) => mapped)),
    descriptors: sum(({ descriptors }) => descriptors),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
  };
}

/** Asks the process and its children to collect their garbage (collect-on-signal.ts). */
export async function collectGarbage(pid: number): Promise<void> {
  for (const member of await familyOf(pid)) {
    try {
      process.kill(member, 'SIGWINCH');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The process, then its children. */
async function familyOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return [pid, ...text.split(' ').filter(Boolean).map(Number)];
}

async function sampleOne(pid: number) {
  try {
    const [status, stat, io, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/io`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    // The name of the program may have blanks; the fields begin behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      anonymous: 1024 * kilobytes('RssAnon'),
      mapped: 1024 * (kilobytes('RssFile') + kilobytes('RssShmem')),
      descriptors: descriptors.length,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND,
      writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0),
    };
  } catch {
    return undefined;
  }
}
