// Accounts for the memory of a response of the Connect router until its peer has read it.

import type { UniversalServerResponse } from '@connectrpc/connect/protocol';
import { NO_ROOM_FOR_UNREAD } from '../calls/overload.ts';
import type { Reservation } from '../limits/index.ts';
import type { UnaryForm } from './connect/unary-message.ts';
import type { RoutedRequest } from './routed-request.ts';

export class ResponseMemory {
  readonly #memory: Reservation;
  readonly #reserveAnswer: RoutedRequest['reserveAnswer'];
  /** The part of the reservation for bytes that are not written yet. */
  #reservedBytes = 0;
  #isTransports = false;

  /** `memory` is the reservation of the call. A transport that accounts for responses itself passes `reserveAnswer`. */
  constructor(memory: Reservation, reserveAnswer: RoutedRequest['reserveAnswer']) {
    this.#memory = memory;
    this.#reserveAnswer = reserveAnswer;
  }

  /** Reserves memory before the response is created. Returns whether there is room. */
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

  /** Counts the response while it waits to be read. If there is no room, the response ends here. */
  hold(answer: UniversalServerResponse): UniversalServerResponse {
    const { body } = answer;
    if (body === undefined || this.#isTransports) return answer;
    return { ...answer, body: this.#written(body as AsyncIterable<Uint8Array>) };
  }

  /** Counts each message of a stream while it waits to be taken: the next one is written when the peer has taken it. */
  holdEach(answer: UniversalServerResponse): UniversalServerResponse {
    const { body } = answer;
    if (body === undefined || this.#reserveAnswer !== undefined) return answer;
    return { ...answer, body: this.#taken(body as AsyncIterable<Uint8Array>) };
  }

  async *#taken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const part of body) {
      if (!this.#memory.grow(part.byteLength)) throw NO_ROOM_FOR_UNREAD;
      yield part;
      this.#memory.shrink(part.byteLength);
    }
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

/** Whether the response was dropped because the client does not read it, which is not a bug. */
export function isOutOfResponseMemory(thrown: unknown): boolean {
  return thrown === NO_ROOM_FOR_UNREAD || (thrown instanceof Error && thrown.cause === NO_ROOM_FOR_UNREAD);
}

/** An upper bound of the written size of a response with so many bytes of protobuf: JSON names its fields and encodes bytes as base64. */
export function writtenBytes(bytes: number, form: Pick<UnaryForm, 'codec'> | undefined): number {
  return AROUND_BYTES + (form?.codec === 'json' ? 2 * bytes : bytes);
}

/** The framing of a message: gRPC-Web has two frames. */
const AROUND_BYTES = 64;
