// The port to the code that serves requests.

import type { HeaderList } from './hpack.ts';

/** Takes what a request brings. Attacker-controlled, all of it. */
export interface Receiver {
  /** A part of the body. `stream.consumed()` makes room for more; what is kept must be copied. */
  onData(part: Buffer): void;
  /** The request is complete. Trailers are empty where it has none. */
  onEnd(trailers: HeaderList): void;
  /** All that was read at once with the headers has been handed over. */
  onRead?(): void;
  /** The stream is over before the response has left. */
  onGone(): void;
  /** All that was written has left. */
  onDrained?(): void;
}
