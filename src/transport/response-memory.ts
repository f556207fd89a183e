// The room that the response of a call through the router takes in the memory of the process, until its peer has read it.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { NO_ROOM_FOR_UNREAD } from '../calls/overload.ts';
import type { Reservation } from '../limits/index.ts';
import type { UnaryForm } from './connect/unary-message.ts';
import type { RoutedRequest } from './routed-request.ts';

export class ResponseMemory {
  readonly #memory: Reservation;
  readonly #reserveAnswer: RoutedRequest['reserveAnswer'];
  /** Of the memory, for what has not been written yet. */
  #reservedBytes = 0;
  #isTransports = false;

  /** `memory` is that of the call. A transport that keeps account of answers itself has `reserveAnswer`. */
  constructor(memory: Reservation, reserveAnswer: RoutedRequest['reserveAnswer']) {
    this.#memory = memory;
    this.#reserveAnswer = reserveAnswer;
  }

  /** Reserves room before the response is made. Returns whether there is any. */
  reserve(bytes: number): boolean {
    if (this.#reserveAnswer !== undefined) {
      this.#isTransports = true;
      return this.#reserveAnswer(bytes);
    }
    if (!this.#memory.grow(bytes)) return false;
    this.#memory.pin(true);
    this.#reservedBytes += bytes;
    return true;
  }

  /** The response, which waits in memory until it is read. Where there is no room for it, the response ends here. */
  hold(answer: UniversalServerResponse): UniversalServerResponse {
    const { body } = answer;
    if (body === undefined || this.#isTransports) return answer;
    return { ...answer, body: this.#written(body as AsyncIterable<Uint8Array>) };
  }

  async *#written(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      if (!this.#write(part.byteLength)) throw NO_ROOM_FOR_UNREAD;
      yield part;
    }
  }

  #write(bytes: number): boolean {
    this.#memory.pin(false);
    const reserved = Math.min(bytes, this.#reservedBytes);
    this.#reservedBytes -= reserved;
    return this.#memory.grow(bytes - reserved);
  }
}

/** The response was dropped because the client does not read it; this is not a fault of the service. */
export function isOutOfResponseMemory(thrown: unknown): boolean {
  return thrown === NO_ROOM_FOR_UNREAD || (thrown instanceof Error && thrown.cause === NO_ROOM_FOR_UNREAD);
}

/** What a response of so many bytes of protobuf has at most as it is written: JSON names its fields, and spells bytes as base64. */
export function writtenBytes(bytes: number, form: Pick<UnaryForm, 'codec'> | undefined): number {
  return AROUND_BYTES + (form?.codec === 'json' ? 2 * bytes : bytes);
}

/** Frames around a message: gRPC-Web has two. */
const AROUND_BYTES = 64;
