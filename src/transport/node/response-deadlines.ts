// Keeps peers of Node's servers from asking without reading: a deadline for each response.

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

  /** `answerMs`: for how long a peer may have something to read and not have read it all. */
  constructor(answerMs: number, now: () => number = () => performance.now()) {
    this.#answerMs = answerMs;
    this.#now = now;
  }

  /** A request has come by this socket, or HTTP/2 stream. Returns false where that has ended. */
  begin(socket: Duplex, response: NodeResponse): boolean {
    if (socket.destroyed) return false;
    const state = this.#open.get(socket) ?? { responses: new Set(), fullSince: undefined };
    state.responses.add(response);
    if (this.#isLast) endAfter(response);
    this.#open.set(socket, state);
    (response as ServerResponse).once('close', () => {
      state.responses.delete(response);
      // A response that was written whole may still wait for its reader in the socket.
      if (socket.destroyed || (state.responses.size === 0 && socket.writableLength === 0)) this.#open.delete(socket);
    });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return true;
  }

  /** From now on every response over HTTP/1.1 is the last one of its connection, and says so. */
  announceEnd(): void {
    this.#isLast = true;
    // Of pipelined requests the newest is answered last.
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
