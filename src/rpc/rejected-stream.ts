// A request on the HTTP/2 engine that is rejected by its headers: nothing of it is kept, and it never reaches a router.

import { type Receiver, type Stream, writeHeaderBlock } from '../h2/index.ts';
import { type Rejection, THROTTLE_MS } from './calls.ts';
import { refusalMessage } from './refusals.ts';

/**
 * Answers a stream with its refusal once what was read with its headers has been let go: of a small request that is all, and
 * nothing of it needs to be reset.
 */
export class RejectedStream implements Receiver {
  readonly #stream: Stream;
  readonly #contentType: string | undefined;
  readonly #rejection: Rejection;

  constructor(stream: Stream, contentType: string | undefined, rejection: Rejection) {
    this.#stream = stream;
    this.#contentType = contentType;
    this.#rejection = rejection;
  }

  onData(part: Buffer): void {
    this.#stream.consumed(part.length);
  }

  onEnd(): void {
    this.#answer();
  }

  onRead(): void {
    this.#answer();
  }

  onGone(): void {
    // Nothing was begun for it.
  }

  #answer(): void {
    const stream = this.#stream;
    if (stream.isClosed) return;
    const { error, penalty } = this.#rejection;
    const { status, headers, body } = refusalMessage(stream.head.method, this.#contentType, error);
    const isWhole = body === undefined || stream.head.method === 'HEAD';
    stream.respond(writeHeaderBlock([[':status', String(status)], ...Object.entries(headers)]), isWhole);
    if (!isWhole) {
      stream.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      stream.end();
    }
    punish(stream, penalty);
  }
}

/** What the connection of a rejected request has to bear. */
export function punish(stream: Stream, penalty: Rejection['penalty']): void {
  if (penalty === 'throttle') stream.throttle(THROTTLE_MS);
  else if (penalty === 'disconnect') stream.disconnect();
}
