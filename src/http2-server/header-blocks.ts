// Joins header blocks from HEADERS and CONTINUATION frames, and decodes them. A block with the same bytes as the previous one is not
// decoded again, because a busy caller sends the same headers each time.

import { ConnectionError, calmDown, ErrorCode } from './connection-error.ts';
import { type HeaderList, HpackDecoder, HpackError } from './hpack.ts';
import { areTrailers, type RequestHead, readRequestHead } from './request-head.ts';
import type { StreamMemory } from './stream-memory.ts';

/**
 * A block of up to this many times the limit is decoded, so that the dynamic table stays correct and the request can be rejected with a
 * reason; a larger one ends the connection. At 128 KiB that is twice as much as Node's client and others over nghttp2 send at most.
 */
const READABLE = 8;
const MAX_CONTINUATIONS = 16;

/** Why a header list is rejected: it violates the rules, or, for trailers, it is too large. */
export type BlockFault = 'malformed' | 'excessive';

export interface OpenBlock {
  readonly id: number;
  readonly endsStream: boolean;
}

export class HeaderBlocks {
  readonly #decoder: HpackDecoder;
  readonly #maxBytes: number;
  readonly #maxMs: number;
  readonly #now: () => number;
  readonly #openMemory: () => StreamMemory;
  #open:
    | (OpenBlock & { readonly parts: Buffer[]; readonly since: number; readonly memory: StreamMemory; bytes: number })
    | undefined;
  #last: { readonly block: Buffer; readonly version: number; readonly head: RequestHead } | undefined;

  /**
   * The limit of a header list as HTTP/2 counts it, and how long a block may be incomplete. `openMemory` reserves memory for incomplete
   * blocks.
   */
  constructor(maxBytes: number, maxMs: number, now: () => number, openMemory: () => StreamMemory) {
    this.#decoder = new HpackDecoder(maxBytes);
    this.#openMemory = openMemory;
    this.#maxBytes = maxBytes;
    this.#maxMs = maxMs;
    this.#now = now;
  }

  /** The incomplete block: no other frame may come before its end. */
  get open(): OpenBlock | undefined {
    return this.#open;
  }

  begin(id: number, endsStream: boolean, part: Buffer): void {
    const memory = this.#openMemory();
    this.#open = { id, endsStream, parts: [], since: this.#now(), memory, bytes: 0 };
    this.#keep(part);
  }

  /** Adds a fragment. Throws ConnectionError if the block becomes too large. */
  add(part: Buffer): void {
    const open = this.#open!;
    this.#keep(part);
    if (open.parts.length > 1 + MAX_CONTINUATIONS || open.bytes > READABLE * this.#maxBytes) {
      throw calmDown('a header block is too long');
    }
    if (this.#now() - open.since > this.#maxMs) {
      throw calmDown('a header block takes too long');
    }
  }

  /** Ends the block and returns it. */
  end(): Buffer {
    const { parts } = this.#open!;
    this.drop();
    return Buffer.concat(parts);
  }

  /** Drops the incomplete block. */
  drop(): void {
    this.#open?.memory.close();
    this.#open = undefined;
  }

  #keep(part: Buffer): void {
    const open = this.#open!;
    if (!open.memory.grow(part.length)) throw calmDown('there is no room for a header block');
    // A copy: a fragment must not keep the whole read buffer in memory.
    open.parts.push(Buffer.from(part));
    open.bytes += part.length;
  }

  /** The head of a request, or its fault. Throws ConnectionError if the block cannot be decoded. */
  readHead(block: Buffer): RequestHead | 'malformed' {
    const last = this.#last;
    const { version } = this.#decoder;
    if (last !== undefined && last.version === version && last.block.equals(block)) return last.head;
    const list = this.#decode(block);
    const { listBytes } = this.#decoder;
    const head = readRequestHead(list, listBytes > this.#maxBytes);
    if (head === undefined) return 'malformed';
    // Only a block that does not change the dynamic table decodes to the same list again.
    if (!head.isTooLarge && version === this.#decoder.version) {
      this.#last = { block: Buffer.from(block), version, head };
    }
    return head;
  }

  /** Trailers, or their fault. Throws ConnectionError if the block cannot be decoded. */
  readTrailers(block: Buffer): HeaderList | BlockFault {
    const list = this.#decode(block);
    if (this.#decoder.listBytes > this.#maxBytes) return 'excessive';
    return areTrailers(list) ? list : 'malformed';
  }

  #decode(block: Buffer): HeaderList {
    try {
      return this.#decoder.decode(block);
    } catch (cause) {
      if (cause instanceof HpackError) throw new ConnectionError(ErrorCode.COMPRESSION_ERROR, cause.message);
      throw cause;
    }
  }
}
