// Where the records of a TLS connection begin. What OpenSSL needs for a read depends on their number more than on their bytes, and the
// header of a record is not encrypted (RFC 8446, section 5.1).

const HEADER_BYTES = 5;

/** Follows the records through all bytes of a connection, in whatever chunks they arrive. */
export class TlsRecords {
  /** Bytes of the current record that have not arrived. */
  #missing = 0;
  /** How many bytes of its header have arrived, if that is incomplete. */
  #headerBytes = 0;
  #length = 0;

  get #isInside(): boolean {
    return this.#missing > 0 || this.#headerBytes > 0;
  }

  /** Returns where to cut the chunk: the piece before has parts of so many records, and so many bytes, at most. Call it with the rest next. */
  next(chunk: Uint8Array, records: number, bytes: number): number {
    const end = Math.min(chunk.length, bytes);
    let at = 0;
    for (let begun = this.#isInside ? 1 : 0; at < end; ) {
      if (this.#missing > 0) {
        const passed = Math.min(this.#missing, end - at);
        this.#missing -= passed;
        at += passed;
        continue;
      }
      if (this.#headerBytes === 0 && ++begun > records) break;
      this.#length = (this.#length << 8) | chunk[at++]!;
      if (++this.#headerBytes < HEADER_BYTES) continue;
      // The last two bytes of the header.
      this.#missing = this.#length & 0xffff;
      this.#headerBytes = 0;
    }
    return at;
  }
}
