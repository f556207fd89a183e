// One life of the service under chaos: it is started, signalled as a whole or worker by worker, and its end is reported.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll } from 'vitest';
import { MAIN, type Settings } from '../support/service-process.ts';

const START_MS = 60_000;
const END_MS = 40_000;
const KEPT_LINES = 200;

/** A start that was rejected, or a run that is over. */
export interface End {
  /** The exit code, or the signal. */
  readonly code: number | string;
  /** The last lines of standard error. */
  readonly words: string;
}

const running = new Set<ServiceRun>();
afterAll(() => Promise.all([...running].map((run) => run.end('SIGKILL'))));

export class ServiceRun {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #closed: Promise<unknown>;
  readonly #onEvent: (event: string, line: string) => void;
  address = '';

  private constructor(settings: Settings, cwd: string, onEvent: (event: string, line: string) => void) {
    const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, HOME, NODE_COMPILE_CACHE, ...settings };
    this.#child = spawn(process.execPath, [MAIN, 'serve'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#onEvent = onEvent;
    this.#closed = once(this.#child, 'close').finally(() => running.delete(this));
    running.add(this);
    createInterface({ input: this.#child.stderr! }).on('line', (line) => this.#hear(line));
  }

  /** Starts a service. Answers it once it listens, or how the start ended. */
  static async start(
    settings: Settings,
    cwd: string,
    onEvent: (event: string, line: string) => void,
  ): Promise<ServiceRun | End> {
    const run = new ServiceRun(settings, cwd, onEvent);
    const { promise: listening, resolve } = Promise.withResolvers<string>();
    createInterface({ input: run.#child.stdout! }).on('line', (line) => {
      const url = /^listening on (https?:\/\/\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    const timer = setTimeout(() => run.signal('SIGKILL'), START_MS);
    const url = await Promise.race([listening, run.#closed.then(() => undefined)]);
    clearTimeout(timer);
    if (url === undefined) return run.#howItEnded();
    run.address = new URL(url).host;
    return run;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The service and its workers. */
  get pids(): readonly number[] {
    return this.hasEnded ? [] : [this.pid, ...this.workers];
  }

  get workers(): readonly number[] {
    try {
      const text = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
      return text.split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }

  /** Tells the service alone; its workers follow it. */
  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) this.#child.kill(signal);
  }

  /** Tells every process of it. One that has just ended is passed over. */
  signalAll(signal: NodeJS.Signals): void {
    for (const pid of this.pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Ends it by this signal. One that does not follow is killed, and its code then says so. */
  async end(signal: NodeJS.Signals): Promise<End> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), END_MS);
    await this.#closed;
    clearTimeout(timer);
    return this.#howItEnded();
  }

  #howItEnded(): End {
    return {
      code: this.#child.exitCode ?? this.#child.signalCode ?? 'never started',
      words: this.#lines.join('\n'),
    };
  }

  #hear(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    const event = /"event":"([a-z-]+)"/.exec(line)?.[1];
    if (event !== undefined) this.#onEvent(event, line);
  }
}
