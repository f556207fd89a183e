// Process groups, as a terminal or npm makes them.

import { readdir, readFile } from 'node:fs/promises';

/** Returns the running processes of a group. Zombies do not count. */
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
