// Responds to a request that its headers decide: nothing of it is kept, and it does not reach a router.

import type { Penalty } from '../../calls/penalty.ts';
import { type Receiver, type Stream, writeHeaderBlock } from '../../http2-server/index.ts';
import type { RejectionMessage } from '../rejections.ts';

/**
 * Responds after the bytes that arrived with the headers were released. A small request is complete then, so that its stream need not be
 * reset.
 */
export class RejectedStream implements Receiver {
  readonly #stream: Stream;
  readonly #answer: RejectionMessage;
  readonly #penalty: Penalty;

  constructor(stream: Stream, answer: RejectionMessage, penalty: Penalty) {
    this.#stream = stream;
    this.#answer = answer;
    this.#penalty = penalty;
  }

  onData(part: Buffer): void {
    this.#stream.consumed(part.length);
  }

  onEnd(): void {
    this.#write();
  }

  onRead(): void {
    this.#write();
  }

  onGone(): void {
    // No work was started for it.
  }

  #write(): void {
    const stream = this.#stream;
    if (stream.isClosed) return;
    const { status, headers, body } = this.#answer;
    const isWhole = body === undefined || stream.head.method === 'HEAD';
    stream.respond(writeHeaderBlock([[':status', String(status)], ...Object.entries(headers)]), isWhole);
    if (!isWhole) {
      stream.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      stream.end();
    }
    applyPenalty(stream, this.#penalty);
  }
}

/** Applies the penalty of a rejected request to its connection. */
export function applyPenalty(stream: Stream, penalty: Penalty): void {
  if (penalty === 'disconnect') stream.disconnect();
  else if (penalty > 0) stream.throttle(penalty);
}
