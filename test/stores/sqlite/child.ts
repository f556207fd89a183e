// Another process that uses the same file, run by the tests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface Child {
  /** What the process prints, line by line. */
  readonly lines: AsyncIterable<string>;
  readonly stderr: () => string;
  /** Ends the process at once, as a crash would. */
  kill(): void;
  /** Waits for its end. Answers its exit code, or the signal that ended it. */
  ended(): Promise<number | string>;
}

/** Starts a script of this folder, under a limit of the size of the files that it writes where one is given. */
export function startChild(script: string, args: readonly string[], maxFileBlocks?: number): Child {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const command = [process.execPath, file, ...args];
  const child =
    maxFileBlocks === undefined
      ? spawn(command[0]!, command.slice(1))
      : spawn('/bin/sh', ['-c', `ulimit -f ${maxFileBlocks}; exec "$0" "$@"`, ...command]);
  // A test that is cut off must not leave it behind.
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const exit = once(child, 'exit');
  return {
    lines: createInterface({ input: child.stdout }),
    stderr: () => stderr,
    kill: () => child.kill('SIGKILL'),
    async ended() {
      const [code, signal] = await exit;
      return code ?? signal;
    },
  };
}

/** All that a process prints until it ends. A code other than 0 is an error. */
export async function outputOf(child: Child): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  const code = await child.ended();
  if (code !== 0) throw new Error(`The process ended with ${code}: ${child.stderr()}`);
  return lines;
}
