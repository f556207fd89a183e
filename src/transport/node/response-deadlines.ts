// Sets a deadline for reading each response of Node's servers, against peers that send requests and do not read.

import { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NodeResponse } from './requests.ts';

const SWEEP_MS = 1_000;

export class NodeAnswers {
  readonly #answerMs: number;
  readonly #now: () => number;
  readonly #open = new Map<Duplex, { readonly responses: Set<NodeResponse>; fullSince: number | undefined }>();
  #isLast = false;
  #timer: NodeJS.Timeout | undefined;

  /** `answerMs`: how long a peer may leave a response unread. */
  constructor(answerMs: number, now: () => number = () => performance.now()) {
    this.#answerMs = answerMs;
    this.#now = now;
  }

  /** Adds a request of this socket or HTTP/2 stream. Returns false if it has ended. */
  begin(socket: Duplex, response: NodeResponse): boolean {
    if (socket.destroyed) return false;
    const state = this.#open.get(socket) ?? { responses: new Set(), fullSince: undefined };
    state.responses.add(response);
    if (this.#isLast) endAfter(response);
    this.#open.set(socket, state);
    (response as ServerResponse).once('close', () => {
      state.responses.delete(response);
      // A completely written response may still be in the buffer of the socket.
      if (socket.destroyed || (state.responses.size === 0 && socket.writableLength === 0)) this.#open.delete(socket);
    });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return true;
  }

  /** Makes the next response on every HTTP/1.1 connection the last one: it has `Connection: close`. */
  announceEnd(): void {
    this.#isLast = true;
    // The response to the newest pipelined request is sent last.
    for (const { responses } of this.#open.values()) endAfter([...responses].at(-1));
  }

  #sweep(): void {
    const now = this.#now();
    for (const [socket, state] of this.#open) {
      if (socket.destroyed) this.#open.delete(socket);
      else if (socket.writableLength === 0) {
        state.fullSince = undefined;
        if (state.responses.size === 0) this.#open.delete(socket);
      } else {
        state.fullSince ??= now;
        if (now - state.fullSince >= this.#answerMs) socket.destroy();
      }
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function endAfter(response: NodeResponse | undefined): void {
  if (response instanceof ServerResponse && !response.headersSent) response.setHeader('connection', 'close');
}
