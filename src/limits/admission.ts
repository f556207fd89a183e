// Whether a call that was read whole may be worked on. Under more load than it can bear a server that accepts everything
// answers everything too late; one that rejects the excess at once goes on answering the rest. The excess is that of the
// accounts which have the most: a light caller keeps its share beside a heavy one.

import type { Account } from './accounts.ts';

/** So many open calls are no queue worth measuring. */
const FEW_CALLS = 320;
/** More are never open at once, whatever their deadlines: of all accounts, and of one. */
const MAX_CALLS = 8192;
export const MAX_ACCOUNT_CALLS = 4096;
/** An account with fewer open calls is never the one that is too much, as long as there is any room. */
const LIGHT_CALLS = 8;
/** How often the speed is measured, in milliseconds. */
const WINDOW_MS = 100;
/** The wait that a caller without a short deadline accepts, in milliseconds: this is a burst, and it will be over. */
const BURST_WAIT_MS = 1000;
/** The wait where this is no burst: a longer queue would make every response late and not one more of them. */
const STANDING_WAIT_MS = 60;
/** A process that computes for more than this share of so many windows has more to do than it can. */
const BUSY = 0.9;
const BUSY_WINDOWS = 2;

export interface Admission {
  /** Whether a call of this account that lasts `budgetMs` at most may be worked on. */
  admits(account: Account, budgetMs: number): boolean;
  /** A call that was admitted counts from now on; each is ended once. */
  begun(account: Account): void;
  ended(account: Account): void;
  /** Calls that count. */
  readonly open: number;
}

/** What admission looks at: a clock in milliseconds, and the share of the time since the last question that was computed in. */
export interface Gauges {
  readonly now: () => number;
  readonly busyShare: () => number;
}

/**
 * A call that would wait too long, at the speed at which the calls before it are being answered, is rejected, unless its
 * account has few. Too long is half of its deadline, or a second, in a burst; and 60 ms where the process has been busy
 * without pause, since then the queue is there to stay. (Twice that let most of the calls that wait outlive two collections
 * of garbage, which made them expensive.)
 */
export function createAdmission({ now, busyShare }: Gauges = processGauges()): Admission {
  let open = 0;
  /** Accounts with an open call. */
  let accounts = 0;
  let answered = 0;
  let windowBegan = 0;
  let busyWindows = 0;
  /** Returns a millisecond while there is work; 0: not known yet. */
  let speed = 0;

  function admits(account: Account, budgetMs: number): boolean {
    if (open >= MAX_CALLS || account.openCalls >= MAX_ACCOUNT_CALLS) return false;
    if (open < FEW_CALLS || speed === 0) return true;
    const longest = busyWindows < BUSY_WINDOWS ? BURST_WAIT_MS : STANDING_WAIT_MS;
    return open / speed <= Math.min(budgetMs / 2, longest) || isLight(account);
  }

  /** Whether it has less than half of what an account has on average. */
  function isLight(account: Account): boolean {
    const sharing = account.openCalls === 0 ? accounts + 1 : accounts;
    return sharing > 1 && account.openCalls < Math.max(LIGHT_CALLS, open / sharing / 2);
  }

  function begun(account: Account): void {
    // What happened while nothing was to be done says nothing about the speed.
    if (open === 0) startWindow(0);
    open++;
    if (account.callOpened()) accounts++;
  }

  function ended(account: Account): void {
    open--;
    if (account.callEnded()) accounts--;
    answered++;
    const lasted = now() - windowBegan;
    if (lasted < WINDOW_MS) return;
    const latest = answered / lasted;
    startWindow(speed === 0 ? latest : (speed + latest) / 2);
  }

  function startWindow(newSpeed: number): void {
    windowBegan = now();
    answered = 0;
    speed = newSpeed;
    busyWindows = busyShare() >= BUSY ? busyWindows + 1 : 0;
  }

  return {
    admits,
    begun,
    ended,
    get open() {
      return open;
    },
  };
}

function processGauges(): Gauges {
  let last = performance.eventLoopUtilization();
  return {
    now: () => performance.now(),
    busyShare: () => {
      const since = last;
      last = performance.eventLoopUtilization();
      return performance.eventLoopUtilization(last, since).utilization;
    },
  };
}
