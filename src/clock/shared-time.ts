// Readings of a clock that several machines share: that of the database.

/** The reading, and when it was taken. */
export interface SharedTime {
  /** Milliseconds since the epoch. */
  readonly readMs: number;
  /** The monotonic clock of this machine in the middle of the round trip. */
  readonly steadyMs: number;
  /** Half the round trip: the possible error of the reading. */
  readonly marginMs: number;
}

/** Whether a difference exceeds the bound in spite of the error of the reading; with a negative margin: whether it may exceed it. */
export function isFarFrom(differenceMs: number, marginMs: number, boundMs: number): boolean {
  return Math.abs(differenceMs) - marginMs > boundMs;
}

/** How often it is read, in milliseconds. */
const READ_EVERY_MS = 5_000;

/** Reads the shared clock. `steadyMs`: the monotonic clock that the reading is compared with. */
export type ReadSharedTime = (steadyMs: () => number) => Promise<SharedTime>;

/** The clock that compares the two. */
interface Comparing {
  readonly steadyMs: () => number;
  compare(shared: SharedTime): void;
}

/**
 * Compares the clocks once before it returns, and then regularly. A failed read is ignored: calls that need the database report the
 * failure.
 */
export async function followSharedTime(clock: Comparing, read: ReadSharedTime): Promise<{ stop(): void }> {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const compare = async () => {
    const shared = await read(clock.steadyMs).catch(() => undefined);
    if (isStopped) return;
    if (shared !== undefined) clock.compare(shared);
    timer = setTimeout(() => void compare(), READ_EVERY_MS).unref();
  };
  await compare();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
