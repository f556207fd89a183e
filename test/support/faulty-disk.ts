// A disk that fails under a running process: strace makes its system calls on one file fail.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEachFile } from './after-each-file.ts';

/** Which calls fail, and with which error. */
export interface DiskFault {
  readonly calls: string;
  readonly error: 'EIO' | 'ENOSPC' | 'EROFS';
}

const running = new Set<ChildProcess>();
afterEachFile(() => Promise.all([...running].map(end)));

/** Makes these calls of the process on these files fail until it is disposed of. Returns once they do. */
export async function failDisk(
  pid: number,
  paths: readonly string[],
  { calls, error }: DiskFault,
): Promise<AsyncDisposable> {
  const files = paths.flatMap((path) => ['-P', path]);
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`];
  const strace = spawn('strace', ['-f', '-p', String(pid), ...files, ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(strace);
  const { promise: attached, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  strace.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (/ attached/.test(said)) resolve();
  });
  strace.once('error', reject);
  strace.once('exit', (code) => reject(new Error(`strace ended with ${code}: ${said}`)));
  await attached;
  return { [Symbol.asyncDispose]: () => end(strace) };
}

async function end(strace: ChildProcess): Promise<void> {
  running.delete(strace);
  if (strace.exitCode !== null || strace.signalCode !== null) return;
  const exited = once(strace, 'exit');
  strace.kill('SIGINT');
  await exited;
}
