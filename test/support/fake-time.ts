// The wall clock of another process, which the test moves with libfaketime (Debian's package `faketime`). Monotonic time and boot time
// stay real, as when the clock of a machine is set.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWhen } from './need.ts';
import type { Settings } from './service-process.ts';

/** The paths on Debian, Fedora and Alpine. */
const PLACES = ['/usr/lib/*/faketime', '/usr/lib64/faketime', '/usr/lib/faketime'];
const LIBRARY = PLACES.flatMap((place) => globSync(`${place}/libfaketime.so.1`)).find((path) => existsSync(path));

/** A wall clock that a test moves. Dispose of it after the processes that use it. */
export class FakeWallClock implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ect-fake-time-'));
  readonly #file = join(this.#folder, 'offset');

  constructor() {
    this.set(0);
  }

  /** The environment of a process that uses this clock. */
  get settings(): Settings {
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DISABLE_SHM: '1',
    };
  }

  /** Sets the clock to this many seconds ahead of the real time. */
  set(seconds: number): void {
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A `describe` for tests that move the wall clock of a process. */
export function describeWithFakeTime(title: string, tests: () => void): void {
  describeWhen(
    LIBRARY !== undefined && reachesNode(),
    title,
    'libfaketime (Debian: faketime), and a Node that it reaches',
    tests,
  );
}

/** Whether libfaketime changes the wall clock of this Node, and not its monotonic clock. */
function reachesNode(): boolean {
  using clock = new FakeWallClock();
  clock.set(86_400);
  const script = 'console.log(Date.now(), process.hrtime.bigint().toString())';
  const beganNs = process.hrtime.bigint();
  const { stdout } = spawnSync(process.execPath, ['-e', script], { env: { ...clock.settings }, encoding: 'utf8' });
  const [wallMs = '', steadyNs = ''] = (stdout ?? '').trim().split(' ');
  const aheadSeconds = Math.round((Number(wallMs) - Date.now()) / 1000);
  const isReal = /^\d+$/.test(steadyNs) && BigInt(steadyNs) > beganNs && BigInt(steadyNs) < process.hrtime.bigint();
  return Math.abs(aheadSeconds - 86_400) < 60 && isReal;
}
