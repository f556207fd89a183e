// What signals ask of the process: to stop (SIGTERM, SIGINT), to read its files anew (SIGHUP), to replace its workers (SIGUSR2).

import { closeSync, openSync } from 'node:fs';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Within this time the same request may arrive several times: a terminal signals the whole group, and npm and the supervisor
 * forward what they get. Only a later signal is a person who does not want to wait.
 */
const SAME_REQUEST_MS = 1_000;

export interface SignalHandlers {
  /** A signal to stop that comes later than the first request: calls in flight are not waited for. */
  readonly stopNow?: () => void;
  /** SIGHUP. Who handles it is stopped where its terminal went away; a process that never had one is only asked to reload. */
  readonly reload?: () => void;
  /** SIGUSR2. */
  readonly replace?: () => void;
}

/** From when it is made, none of these signals ends the process by itself. */
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

  /** Instead of the handlers before. Until there are some, files are being read anyway, and there is nothing to replace. */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers;
    if (this.#isHungUp && handlers.reload !== undefined) this.askToStop();
  }

  /** As the first signal does. */
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

/** Whether the process has a controlling terminal: it can be opened for as long as it is there. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * npm forwards SIGTERM and SIGINT only: any other signal ends npm and would leave the service without a parent. `npx ect` puts a
 * shell in between as well, which npm signals instead of this program. So where a script of npm is this program, the end of
 * its parent counts as a signal to stop.
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
 * `ect serve`, `ect-authority serve`, or `node src/main.ts serve`, maybe by `exec`. What a script puts into the background is to
 * outlive npm.
 */
function isScriptOfNpm(script = ''): boolean {
  const isThisProgram = /^(?:exec +)?(?:node +(?:\S*\/)?src\/main\.ts|\W*ect(?:-authority)?)(?![\w-])/.test(script);
  return isThisProgram && !/(?<!&)&(?![&>])/.test(script);
}
