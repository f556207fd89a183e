// How many calls one turn of the event loop begins. To read a call and to refuse it is cheap, to begin it is not: under
// load calls stand in line, so that a refusal is not held up by the work of those that were admitted.

/** What a turn gives to beginning calls, in milliseconds. */
const TURN_MS = 5;

export interface Turns {
  /** Whether a call has to stand in line before it begins. */
  isFull(): boolean;
  /** Begins a call when it is its turn, first come, first served. `begin` does not throw. */
  stand(begin: () => void): void;
}

export function createTurns(now: () => number = () => performance.now()): Turns {
  /** When this turn began its first call; undefined where it has begun none. */
  let began: number | undefined;
  const line: (() => void)[] = [];

  function isFull(): boolean {
    return line.length > 0 || spentMs() > TURN_MS;
  }

  function stand(begin: () => void): void {
    line.push(begin);
  }

  function spentMs(): number {
    const time = now();
    if (began === undefined) {
      began = time;
      // Runs when the turn has read everything that was there to be read.
      setImmediate(endTurn);
    }
    return time - began;
  }

  /** What a call does before it first waits counts for its turn: nearly all of its computing. */
  function endTurn(): void {
    began = undefined;
    while (line.length > 0 && spentMs() <= TURN_MS) line.shift()?.();
  }

  return { isFull, stand };
}
