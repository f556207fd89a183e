// A machine whose clocks a test moves: the wall clock is set, the others go on. Times in milliseconds.

import { begin, type Evidence } from '../../src/clock/anchor.ts';
import { type ClockReading, earliestMs, look, type TrustedTime, trustedMs } from '../../src/clock/trusted-time.ts';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const YEAR = 365 * DAY;

/** When a simulation begins, in real time. */
export const START_MS = 1_772_000_000_000;

export interface SimulatedOptions {
  /** What the wall clock is wrong by when it begins. */
  readonly wrongMs?: number;
  readonly hasBootTime?: boolean;
}

export class SimulatedMachine {
  /** The real time. */
  trueMs = START_MS;
  wrongMs: number;
  steadyMs = 5_000;
  bootMs: number | undefined;

  constructor({ wrongMs = 0, hasBootTime = true }: SimulatedOptions = {}) {
    this.wrongMs = wrongMs;
    this.bootMs = hasBootTime ? 7_200_000 : undefined;
  }

  get wallMs(): number {
    return this.trueMs + this.wrongMs;
  }

  read = (): ClockReading => ({ wallMs: this.wallMs, steadyMs: this.steadyMs, bootMs: this.bootMs });

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.wrongMs += ms;
  }

  pass(ms: number): void {
    this.trueMs += ms;
    this.steadyMs += ms;
    if (this.bootMs !== undefined) this.bootMs += ms;
  }

  /** The machine is suspended: its monotonic clock stops. `isPaused`: by a hypervisor, and its boot time stops as well. */
  sleep(ms: number, isPaused = false): void {
    this.trueMs += ms;
    if (!isPaused && this.bootMs !== undefined) this.bootMs += ms;
  }
}

/** One process on a machine, with a look at the clocks every second. */
export class SimulatedProcess {
  readonly machine: SimulatedMachine;
  trustedTime: TrustedTime;

  constructor(machine: SimulatedMachine, evidence: Partial<Evidence> = {}) {
    this.machine = machine;
    this.trustedTime = begin(machine.read(), { bootId: 'boot', anchor: undefined, newestMs: 0, ...evidence });
  }

  look(newestMs?: number): void {
    this.trustedTime = look(this.trustedTime, this.machine.read(), newestMs);
  }

  /** Lets time pass. `wrongPerSecond`: what the wall clock goes wrong by each second. */
  run(ms: number, wrongPerSecond = 0): void {
    for (let passed = 0; passed < ms; passed += SECOND) {
      this.machine.pass(SECOND);
      this.machine.step(wrongPerSecond);
      this.look();
    }
  }

  get isDoubted(): boolean {
    return this.trustedTime.skew !== undefined;
  }

  /** The error of the trusted time. */
  get errorMs(): number {
    return Math.round(trustedMs(this.trustedTime, this.machine.steadyMs) - this.machine.trueMs);
  }

  /** What the earliest time is before the real one. */
  get lagMs(): number {
    return Math.round(this.machine.trueMs - earliestMs(this.trustedTime, this.machine.steadyMs));
  }
}
