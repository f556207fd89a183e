// RLIMIT_FSIZE of running processes, by prlimit (util-linux): what would make a file longer fails with EFBIG.

import { spawnSync } from 'node:child_process';

/** Nothing that these processes write may go beyond so many bytes, until the answer is called. */
export function limitFiles(pids: readonly number[], bytes: number): () => void {
  for (const pid of pids) setLimit(pid, `${bytes}:`);
  return () => {
    for (const pid of pids) setLimit(pid, 'unlimited:');
  };
}

/** Only the lower limit is set, which its owner may raise again. A process that has ended needs no limit. */
function setLimit(pid: number, limit: string): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${limit}`], { encoding: 'utf8' });
  if (status !== 0 && !/No such process/.test(stderr)) throw new Error(`prlimit: ${stderr}`);
}
