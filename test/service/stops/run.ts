// One run of the service in a process group of its own, that a signal may meet before it listens.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { groupOf } from '../../support/process-group.ts';
import { MAIN } from '../../support/service-process.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** For what hangs: longer than the service gives itself. */
const HUNG_MS = 60_000;

export type Settings = Readonly<Record<string, string | undefined>>;
export type Target = 'process' | 'group';

/** How a run ended: its exit code or the signal, and the milliseconds since the first signal to stop. */
export interface End {
  readonly how: number | string | null;
  readonly afterMs: number;
}

export class Run implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #dataDir: string;
  readonly #beganAt = Date.now();
  readonly ended: Promise<End>;
  #firstSignalMs: number | undefined;
  stdout = '';
  stderr = '';

  constructor(launch: 'node' | 'npm', dataDir: string, settings: Settings) {
    const { HOME, NODE_COMPILE_CACHE, PATH = '' } = process.env;
    const path = `${dirname(process.execPath)}:${PATH}`;
    const env = {
      PATH: path,
      HOME,
      NODE_COMPILE_CACHE,
      npm_config_offline: 'true',
      ECT_DATA_DIR: dataDir,
      ...settings,
    };
    const [file, ...args] = launch === 'npm' ? ['npm', 'start'] : [process.execPath, MAIN, 'serve'];
    this.#dataDir = dataDir;
    this.#child = spawn(file ?? '', args, { cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)));
    this.#child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)));
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({
      how: code ?? signal,
      afterMs: performance.now() - (this.#firstSignalMs ?? performance.now()),
    }));
  }

  get #pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its address, or undefined where it ended before it listened. */
  async listening(): Promise<string | undefined> {
    let isOver = false;
    const over = this.ended.then(() => (isOver = true));
    for (;;) {
      const url = /^listening on (\S+)\n/m.exec(this.stdout)?.[1];
      if (url !== undefined) return url;
      if (isOver) return undefined;
      await Promise.race([over, pause(5)]);
    }
  }

  /** Sends a signal, unless it has ended. */
  signal(signal: NodeJS.Signals, target: Target): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (signal !== 'SIGHUP') this.#firstSignalMs ??= performance.now();
    process.kill(target === 'group' ? -this.#pid : this.#pid, signal);
  }

  /** How it ended, once nothing of its group runs any more. What hangs is killed, and `how` says so. */
  async end(): Promise<End> {
    const hung = setTimeout(() => process.kill(-this.#pid, 'SIGKILL'), HUNG_MS);
    const end = await this.ended;
    while ((await groupOf(this.#pid)).length > 0) await pause(5);
    clearTimeout(hung);
    return end;
  }

  /** Whether the code of the program had come so far that it owned its directory. */
  async hasOwned(): Promise<boolean> {
    const owner = await readFile(join(this.#dataDir, 'owner.json'), 'utf8').catch(() => undefined);
    return owner !== undefined && Date.parse((JSON.parse(owner) as { since: string }).since) >= this.#beganAt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if ((await groupOf(this.#pid)).length > 0) process.kill(-this.#pid, 'SIGKILL');
    await this.end();
  }
}
