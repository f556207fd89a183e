// Rows that are inserted 16 a commit.

export const ROWS_A_COMMIT = 16;
/** How long the last few rows wait for others, in milliseconds. */
const FEW_WAIT_MS = 2;

export interface Row {
  readonly name: string;
  readonly scope: string;
  readonly leaf: Uint8Array;
  readonly salt: Uint8Array;
  readonly content: Uint8Array;
}

export interface Rows {
  /** Adds a row; `onDurable` hears of the commit that it was part of. */
  add(row: Row, onDurable: () => void): void;
}

/** Gathers rows into commits. `commit` answers when its rows are durable; several may be under way. */
export function inBatches(commit: (rows: readonly Row[]) => void | Promise<void>): Rows {
  let waiting: (readonly [Row, () => void])[] = [];
  let timer: NodeJS.Timeout | undefined;

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    const group = waiting;
    waiting = [];
    const tell = () => {
      for (const [, onDurable] of group) onDurable();
    };
    const committed = commit(group.map(([row]) => row));
    if (committed === undefined) tell();
    else committed.then(tell, fail);
  }

  return {
    add: (row, onDurable) => {
      waiting.push([row, onDurable]);
      if (waiting.length === ROWS_A_COMMIT) send();
      else timer ??= setTimeout(send, FEW_WAIT_MS);
    },
  };
}

/** A rival that loses rows measures nothing. */
function fail(error: unknown): void {
  process.stderr.write(`a commit failed: ${String(error)}\n`);
  process.exit(1);
}
