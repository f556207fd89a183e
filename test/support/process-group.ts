// Process groups, as a terminal or npm makes them.

import { readdir, readFile } from 'node:fs/promises';

/** Processes that run in this process group; one that nobody has waited for does not run. */
export async function groupOf(pgid: number): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  const running = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === pgid && state !== 'Z' ? [Number(pid)] : [];
    }),
  );
  return running.flat();
}
