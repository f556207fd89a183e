// What signals ask of the process: to stop (SIGTERM, SIGINT), or to read its files anew (SIGHUP).

import { closeSync, openSync } from 'node:fs';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Within this time the same request may arrive several times: a terminal signals the whole group, and npm and the supervisor
 * forward what they get. Only a later signal is a person who does not want to wait.
 */
const SAME_REQUEST_MS = 1_000;

/** What a stop signal leads to. */
export interface StopHandlers {
  /** Called once, with the first signal. */
  stop(): void;
  /** Called for a signal that comes later: calls in flight are not waited for. */
  stopNow(): void;
}

/** Listens for SIGTERM and SIGINT from now on. No further signal ends the process by itself. */
export function onStopSignal({ stop, stopNow }: StopHandlers): void {
  let firstAtMs: number | undefined;
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (firstAtMs === undefined) {
        firstAtMs = performance.now();
        stop();
      } else if (performance.now() - firstAtMs >= SAME_REQUEST_MS) stopNow();
    });
  }
}

/**
 * Listens for SIGHUP from now on: `reload` where somebody sent it, `hangUp` where the terminal of the process went away.
 * A process that never had a terminal is only ever asked to reload.
 */
export function onHangup({ reload, hangUp }: { reload(): void; hangUp(): void }): void {
  const hadTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) hangUp();
    else reload();
  });
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
 * npm hands on SIGTERM and SIGINT alone: any other signal ends it, and would leave the service to nobody. `npx ect` puts a
 * shell in between as well, which npm signals in place of this program. So where a script of npm is this program, the end of
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

/** `ect serve`, or `node src/main.ts serve`, maybe by `exec`. What a script puts into the background is to outlive npm. */
function isScriptOfNpm(script = ''): boolean {
  const isThisProgram = /^(?:exec +)?(?:node +(?:\S*\/)?src\/main\.ts|\W*ect)(?![\w-])/.test(script);
  return isThisProgram && !/(?<!&)&(?![&>])/.test(script);
}
