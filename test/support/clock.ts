// A clock that stands until it is moved. Seconds for tokens, milliseconds for the ledger.

import { NOW } from './tokens.ts';

export class Clock {
  seconds = NOW;

  now = (): number => this.seconds;
  stamp = this.now;
  earliest = this.now;
  nowMs = (): number => this.seconds * 1000;
  earliestMs = this.nowMs;
  steadyMs = this.nowMs;
  isBelieved = true;

  advance(seconds: number): void {
    this.seconds += seconds;
  }
}
