// Whether a new call may begin. Under more load than it can bear a server that accepts everything answers everything too
// late; one that refuses the excess at once goes on answering the rest.

/** So many open calls are no queue worth measuring. */
const FEW_CALLS = 320;
/** More are never open at once, whatever their deadlines. */
const MOST_CALLS = 8192;
/** How often the speed is measured, in milliseconds. */
const WINDOW_MS = 100;
/** The wait that a caller without a short deadline accepts, in milliseconds: this is a burst, and it will be over. */
const BURST_WAIT_MS = 1000;
/** The wait where this is no burst: a longer queue would make every answer late and not one more of them. */
const STANDING_WAIT_MS = 60;
/** A process that computes for more than this share of so many windows has more to do than it can. */
const BUSY = 0.9;
const BUSY_WINDOWS = 2;

export interface Admission {
  /** Whether a call that lasts `budgetMs` at most may begin. */
  admits(budgetMs: number): boolean;
  /** A call that was admitted has begun; each is ended once. */
  begun(): void;
  ended(): void;
}

/** What admission looks at: a clock in milliseconds, and the share of the time since the last question that was computed in. */
export interface Gauges {
  readonly now: () => number;
  readonly busyShare: () => number;
}

/**
 * A call that would wait too long, at the speed at which the calls before it are being answered, is refused. Too long is half
 * of its deadline, or a second, in a burst; and 60 ms where the process has been busy without pause, since then the queue is
 * there to stay. (Twice that let most of the calls that wait outlive two collections of garbage, which made them dear.)
 */
export function createAdmission({ now, busyShare }: Gauges = processGauges()): Admission {
  let open = 0;
  let answered = 0;
  let windowBegan = 0;
  let busyWindows = 0;
  /** Answers a millisecond while there is work; 0: not known yet. */
  let speed = 0;

  function admits(budgetMs: number): boolean {
    if (open < FEW_CALLS || speed === 0) return open < MOST_CALLS;
    const longest = busyWindows < BUSY_WINDOWS ? BURST_WAIT_MS : STANDING_WAIT_MS;
    return open / speed <= Math.min(budgetMs / 2, longest) && open < MOST_CALLS;
  }

  function begun(): void {
    // What happened while nothing was to be done says nothing about the speed.
    if (open === 0) startWindow(0);
    open++;
  }

  function ended(): void {
    open--;
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

  return { admits, begun, ended };
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
