// Decides whether a call with a complete request may run. An overloaded server that accepts every call answers all of them too late; one
// that rejects the excess at once still answers the others in time. The excess belongs to the accounts with most open calls, so that a
// light caller keeps its share beside a heavy one.

import type { Account } from './accounts.ts';
import { FEW_PIECES } from './networks.ts';

/** With fewer open calls there is no queue worth measuring. */
const FEW_CALLS = 320;
/** Most open calls of all accounts and of one, whatever their deadlines. */
const MAX_CALLS = 8192;
export const MAX_ACCOUNT_CALLS = 4096;
/** So many more for accounts with few open calls: they have room beside a heavy caller of their network, behind a proxy for example. */
const MAX_FEW_CALLS = 1024;
/** Open calls of one network, above which nobody in it is light: many accounts with a few calls each are a queue as long as any. */
const MANY_OF_NETWORK = 1024;
/** How often the rate of completed calls is measured, in milliseconds. */
const WINDOW_MS = 100;
/** The longest accepted wait during a burst, in milliseconds. */
const BURST_WAIT_MS = 1000;
/**
 * The longest accepted wait under lasting load, in milliseconds: a longer queue would delay every response and complete no more calls.
 */
const STANDING_WAIT_MS = 60;
/** A process that computes for more than this share of the time in this many windows is overloaded. */
const BUSY = 0.9;
const BUSY_WINDOWS = 2;

export interface Admission {
  /** Whether a call of this account with a deadline in `budgetMs` may run. */
  admits(account: Account, budgetMs: number): boolean;
  /** Counts an admitted call. Each one is ended once. */
  begun(account: Account): void;
  ended(account: Account): void;
  /** Open calls. */
  readonly open: number;
}

/** What admission measures: a clock in milliseconds, and the share of the time since the last query in which the process computed. */
export interface Gauges {
  readonly now: () => number;
  readonly busyShare: () => number;
}

/**
 * A call is rejected if its expected wait, at the rate at which calls complete now, is too long and its account does not have few open
 * calls. During a burst, too long is half of its deadline, or one second. After the process has been busy without a pause it is 60 ms,
 * because then the queue does not get shorter. (With 120 ms most waiting calls survived two garbage collections, which made them
 * expensive.)
 */
export function createAdmission({ now, busyShare }: Gauges = processGauges()): Admission {
  let open = 0;
  /** Accounts with an open call. */
  let accounts = 0;
  let answered = 0;
  let windowBegan = 0;
  let busyWindows = 0;
  /** Calls that complete in a millisecond while there is work; 0: not known yet. */
  let speed = 0;

  function admits(account: Account, budgetMs: number): boolean {
    // A network may have as many as it leaves to the others: however many networks there are, a further one has room.
    const room = (hasFew(account) ? MAX_CALLS + MAX_FEW_CALLS : MAX_CALLS) - open;
    if (account.networkCalls >= room || account.openCalls >= MAX_ACCOUNT_CALLS) return false;
    if (open < FEW_CALLS || speed === 0) return true;
    const longest = busyWindows < BUSY_WINDOWS ? BURST_WAIT_MS : STANDING_WAIT_MS;
    return open / speed <= Math.min(budgetMs / 2, longest) || isLight(account);
  }

  /** Whether it has few open calls, or less than half of the average of all accounts in a network that has not too many. */
  function isLight(account: Account): boolean {
    const sharing = account.openCalls === 0 ? accounts + 1 : accounts;
    if (sharing === 1) return false;
    if (account.openCalls < FEW_PIECES) return hasFew(account);
    return account.networkCalls < MANY_OF_NETWORK && account.openCalls < open / sharing / 2;
  }

  /** Not in a network with many such accounts. The calls of a heavy one do not count: the others of its network are not to pay for it. */
  function hasFew({ openCalls, networkFirstCalls }: Account): boolean {
    return openCalls < FEW_PIECES && networkFirstCalls < MANY_OF_NETWORK;
  }

  function begun(account: Account): void {
    // An idle interval says nothing about the rate.
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
