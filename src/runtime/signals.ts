// The signals of the process: stop (SIGTERM, SIGINT), reload the files (SIGHUP), replace the workers (SIGUSR2).

import { closeSync, openSync } from 'node:fs';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Within this time the same request may arrive several times: a terminal signals the whole process group, and npm and the supervisor
 * forward signals. Only a later signal means that a person does not want to wait.
 */
const SAME_REQUEST_MS = 1_000;

export interface SignalHandlers {
  /** Called for a stop signal after the first request: calls in flight are not waited for. */
  readonly stopNow?: () => void;
  /** Called for SIGHUP. If the process had a terminal which has closed, it stops instead; a process without a terminal only reloads. */
  readonly reload?: () => void;
  /** Called for SIGUSR2. */
  readonly replace?: () => void;
}

/** Handles the signals. While this object exists, none of them ends the process by itself. */
export class Signals {
  readonly #stop = new AbortController();
  readonly #hadTerminal = hasTerminal();
  #handlers: SignalHandlers = {};
  #firstAtMs: number | undefined;
  #isHungUp = false;

  constructor() {
    for (const signal of STOP_SIGNALS) process.on(signal, () => this.#onStop());
    process.on('SIGHUP', () => this.#onHangup());
    process.on('SIGUSR2', () => this.#handlers.replace?.());
  }

  /** Aborted when the process is asked to stop. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Replaces the handlers. Before the first call no handler is needed: files are being read anyway, and there are no workers to replace.
   */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    if (this.#isHungUp && handlers.reload !== undefined) this.askToStop();
  }

  /** Acts as the first stop signal does. */
  askToStop(): void {
    this.#firstAtMs ??= performance.now();
    this.#stop.abort();
  }

  #onStop(): void {
    if (this.#firstAtMs === undefined) this.askToStop();
    else if (performance.now() - this.#firstAtMs >= SAME_REQUEST_MS) this.#handlers.stopNow?.();
  }

  #onHangup(): void {
    this.#isHungUp ||= this.#hadTerminal && !hasTerminal();
    const { reload } = this.#handlers;
    if (reload === undefined) return;
    if (this.#isHungUp) this.askToStop();
    else reload();
  }
}

/** Whether the process has a controlling terminal, which can then be opened. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * npm forwards only SIGTERM and SIGINT. Any other signal ends npm, and would leave the service without a parent. `npx ect` also starts a
 * shell in between, which gets the signals instead of this program. So if this program is a script of npm, the end of its parent counts
 * as a stop signal.
 */
export function onEndOfNpm(stop: () => void, env = process.env): void {
  if (!isScriptOfNpm(env['npm_lifecycle_script'])) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, PARENT_CHECK_MS);
  timer.unref();
}

const PARENT_CHECK_MS = 200;

/**
 * Whether a script runs this program in the foreground: `ect serve`, `ect-authority serve`, or `node src/main.ts serve`, possibly with
 * `exec`. A script that puts it into the background wants it to outlive npm.
 */
function isScriptOfNpm(script = ''): boolean {
  const isThisProgram = /^(?:exec +)?(?:node +(?:\S*\/)?src\/main\.ts|\W*ect(?:-authority)?)(?![\w-])/.test(script);
  return isThisProgram && !/(?<!&)&(?![&>])/.test(script);
}
