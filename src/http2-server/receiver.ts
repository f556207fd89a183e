// The port to the code that serves requests.

import type { HeaderList } from './hpack.ts';

/** Receives the parts of a request, all of them attacker-controlled. */
export interface Receiver {
  /** A part of the body. Call `stream.consumed()` to credit the window; copy what must be kept. */
  onData(part: Buffer): void;
  /** The request is complete. Trailers are empty if it has none. */
  onEnd(trailers: HeaderList): void;
  /** Everything that was read together with the headers has been passed on. */
  onRead?(): void;
  /** The stream has ended before its response was sent. */
  onGone(): void;
  /** Everything that was written has been sent. */
  onDrained?(): void;
}
