// Puts header blocks together from HEADERS and CONTINUATION frames, and decodes them. A block that says the same as the one
// before, which is what a busy caller sends, is not decoded again.

import { ConnectionError, calmDown, ErrorCode } from './connection-error.ts';
import { type HeaderList, HpackDecoder, HpackError } from './hpack.ts';
import { areTrailers, type RequestHead, readRequestHead } from './request-head.ts';
import type { StreamMemory } from './stream-memory.ts';

/**
 * A block up to this many times the limit is read, so that the tables stay in step and its request can be told why it is rejected;
 * a larger one ends the connection. At 128 KiB that is twice what Node's client and others over nghttp2 send at most.
 */
const READABLE = 8;
const MAX_CONTINUATIONS = 16;

/** Breaks the rules of a list of headers; or is too large, as trailers. */
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
  #memo: { readonly block: Buffer; readonly version: number; readonly head: RequestHead } | undefined;

  /** Limits: what a list may hold as HTTP/2 counts it, and for how long a block may be open. Open blocks are kept in `openMemory`. */
  constructor(maxBytes: number, maxMs: number, now: () => number, openMemory: () => StreamMemory) {
    this.#decoder = new HpackDecoder(maxBytes);
    this.#openMemory = openMemory;
    this.#maxBytes = maxBytes;
    this.#maxMs = maxMs;
    this.#now = now;
  }

  /** The block that has begun and not ended: no other frame may come in between. */
  get open(): OpenBlock | undefined {
    return this.#open;
  }

  begin(id: number, endsStream: boolean, part: Buffer): void {
    const memory = this.#openMemory();
    this.#open = { id, endsStream, parts: [], since: this.#now(), memory, bytes: 0 };
    this.#keep(part);
  }

  /** Adds a part to the open block. Throws ConnectionError where it has become too much. */
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

  /** Ends the open block and answers it whole. */
  end(): Buffer {
    const { parts } = this.#open!;
    this.drop();
    return Buffer.concat(parts);
  }

  /** Forgets an open block. */
  drop(): void {
    this.#open?.memory.close();
    this.#open = undefined;
  }

  #keep(part: Buffer): void {
    const open = this.#open!;
    if (!open.memory.grow(part.length)) throw calmDown('there is no room for a header block');
    // A copy: a part must not keep the whole of what was read with it.
    open.parts.push(Buffer.from(part));
    open.bytes += part.length;
  }

  /** The head of a request, or what is wrong with it. Throws ConnectionError where it cannot be decoded. */
  readHead(block: Buffer): RequestHead | 'malformed' {
    const memo = this.#memo;
    const { version } = this.#decoder;
    if (memo !== undefined && memo.version === version && memo.block.equals(block)) return memo.head;
    const list = this.#decode(block);
    const { listBytes } = this.#decoder;
    const head = readRequestHead(list, listBytes > this.#maxBytes);
    if (head === undefined) return 'malformed';
    // Only a block that leaves the table as it was means the same again.
    if (!head.isTooLarge && version === this.#decoder.version) {
      this.#memo = { block: Buffer.from(block), version, head };
    }
    return head;
  }

  /** Trailers, or what is wrong with them. Throws ConnectionError where they cannot be decoded. */
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
