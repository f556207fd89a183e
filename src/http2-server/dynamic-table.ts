// The dynamic table of HPACK: the fields that the peer has asked us to remember, latest first. The peer fills it, so its
// size is bounded by what we have announced.

/** What an entry costs beside its name and value. */
const ENTRY_OVERHEAD_BYTES = 32;

export class DynamicTable {
  /** Changes whenever entries do, so that what was decoded with the same entries can be known again. */
  version = 0;
  readonly #announcedBytes: number;
  #maxBytes: number;
  #bytes = 0;
  /** A ring: the latest entry is at `#latest`, older ones before it. Names are at even places, values at odd ones. */
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

  /** The name of the entry of this age, 0 for the latest. The caller has checked that there is one. */
  name(age: number): string {
    return this.#ring[2 * this.#slot(age)]!;
  }

  value(age: number): string {
    return this.#ring[2 * this.#slot(age) + 1]!;
  }

  /** Remembers a field. One that is larger than the table empties it. */
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

  /** Takes the size that the peer wants. Returns whether it is one that we have announced. */
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
      // What is forgotten must not be kept in memory.
      this.#ring[2 * oldest] = '';
      this.#ring[2 * oldest + 1] = '';
    }
  }

  #slot(age: number): number {
    return (this.#latest - age + this.#slots) % this.#slots;
  }
}
