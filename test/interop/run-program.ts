// Runs a program of another party to its end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** For programs that are built first: the first build fetches modules, and a small machine compiles for minutes. */
export const BUILD_MS = 600_000;

export interface Outcome {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string | URL;
  /** What it reads from standard input. */
  readonly input?: string;
  /** What it finds in its environment, besides ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is ended after this time. Default: two minutes. */
  readonly limitMs?: number;
}

export async function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { cwd = process.cwd(), input = '', env = {}, limitMs = 120_000 } = options;
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: 'pipe',
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => undefined); // A program that ended without reading says why by its code.
  child.stdin.end(input);
  const [code, signal] = await once(child, 'close');
  return { code: code ?? signal, stdout, stderr };
}
