// A clock that stands until the test moves it: in seconds for tokens, in milliseconds for the ledger.

import { NOW } from './tokens.ts';

export class Clock {
  seconds = NOW;
  /** The seconds that have passed. */
  #passed = 0;
  /** How far the time is ahead of the earliest plausible time. */
  lagSeconds = 0;
  isTrusted = true;
  #forgotten = 0;

  now = (): number => this.seconds;
  stamp = this.now;
  earliest = (): number => this.seconds - this.lagSeconds;
  forgotten = (): number => Math.max(this.#forgotten, this.earliest());
  nowMs = (): number => this.seconds * 1000;
  earliestMs = (): number => this.earliest() * 1000;
  steadyMs = (): number => this.#passed * 1000;

  advance(seconds: number): void {
    this.seconds += seconds;
    this.#passed += seconds;
  }

  /** Makes the wall clock jump, without losing its trust. After a jump forward it is unknown whether that time has passed. */
  jump(seconds: number): void {
    this.#forgotten = this.forgotten();
    this.seconds += seconds;
    this.lagSeconds = Math.max(0, this.lagSeconds + seconds);
  }
}
