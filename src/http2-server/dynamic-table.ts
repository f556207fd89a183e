// The dynamic table of HPACK: the fields that the encoder of the peer has added, latest first. Its size is limited by
// SETTINGS_HEADER_TABLE_SIZE.

/** The overhead of an entry besides its name and value. */
const ENTRY_OVERHEAD_BYTES = 32;

export class DynamicTable {
  /** Changes with the entries. The same block decodes to the same fields while it stays the same. */
  version = 0;
  readonly #announcedBytes: number;
  #maxBytes: number;
  #bytes = 0;
  /** A ring buffer: the latest entry is at `#latest`, older ones before it. Names are at even indexes, values at odd ones. */
  readonly #ring: string[];
  readonly #slots: number;
  #latest = 0;
  #count = 0;

  constructor(announcedBytes: number) {
    this.#announcedBytes = announcedBytes;
    this.#maxBytes = announcedBytes;
    this.#slots = Math.floor(announcedBytes / ENTRY_OVERHEAD_BYTES) + 1;
    this.#ring = Array.from({ length: 2 * this.#slots }, () => '');
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The name of the entry of this age, 0 for the latest. The caller has checked that it exists. */
  name(age: number): string {
    return this.#ring[2 * this.#slot(age)]!;
  }

  value(age: number): string {
    return this.#ring[2 * this.#slot(age) + 1]!;
  }

  /** Adds a field. One that is larger than the table empties the table. */
  add(name: string, value: string): void {
    this.version++;
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evict(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#latest = (this.#latest + 1) % this.#slots;
    this.#ring[2 * this.#latest] = name;
    this.#ring[2 * this.#latest + 1] = value;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Sets the size that the peer chose. Returns whether it is at most the announced one. */
  resize(bytes: number): boolean {
    if (bytes > this.#announcedBytes) return false;
    this.version++;
    this.#maxBytes = bytes;
    this.#evict(bytes);
    return true;
  }

  #evict(toBytes: number): void {
    while (this.#count > 0 && this.#bytes > toBytes) {
      const oldest = this.#slot(--this.#count);
      this.#bytes -= this.#ring[2 * oldest]!.length + this.#ring[2 * oldest + 1]!.length + ENTRY_OVERHEAD_BYTES;
      // Evicted entries must not stay in memory.
      this.#ring[2 * oldest] = '';
      this.#ring[2 * oldest + 1] = '';
    }
  }

  #slot(age: number): number {
    return (this.#latest - age + this.#slots) % this.#slots;
  }
}
