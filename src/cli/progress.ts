// Shows progress in one line on a terminal. Prints nothing elsewhere.

import type { WriteStream } from 'node:tty';

const REDRAW_MS = 100;

export interface Progress {
  advance(done: number, total: number | undefined): void;
  /** Removes the line. */
  end(): void;
}

/** Draws on `stream` if it is a terminal, at most ten times a second. */
export function drawProgress(stream: NodeJS.WritableStream | WriteStream, verb: string): Progress {
  if (!('isTTY' in stream) || !stream.isTTY) return { advance: () => undefined, end: () => undefined };
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    advance: (done, total) => {
      const now = performance.now();
      if (now - drawnAt < REDRAW_MS) return;
      drawnAt = now;
      const share = total === undefined || total === 0 ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`;
      stream.write(`\r${done}${share} ${verb} `);
    },
    end: () => stream.write('\r\x1b[K'),
  };
}
