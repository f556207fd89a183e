// Reads the frames of a write-ahead file (SQLite's file format, section 4), and verifies each by its checksum, which also covers all
// previous frames.

export const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** If the lowest bit is set, checksums use big-endian words. */
const MAGIC = 0x377f0682;

/** Reads the frames of one file in order. */
export class WalFrames {
  /** The size of a frame with its header. */
  readonly frameBytes: number;
  readonly #isBigEndian: boolean;
  readonly #salt: Buffer;
  #sums: readonly [number, number];

  private constructor(header: Buffer, frameBytes: number) {
    this.frameBytes = frameBytes;
    this.#isBigEndian = (header.readUInt32BE(0) & 1) === 1;
    this.#salt = Buffer.from(header.subarray(16, 24));
    this.#sums = this.#sum([0, 0], header.subarray(0, 24));
  }

  /** Reads the header of a file; undefined if it is invalid. */
  static open(header: Buffer): WalFrames | undefined {
    if (header.length < WAL_HEADER_BYTES || (header.readUInt32BE(0) & ~1) !== MAGIC) return undefined;
    const frames = new WalFrames(header, FRAME_HEADER_BYTES + header.readUInt32BE(8));
    return frames.#isSum(header, 24) ? frames : undefined;
  }

  /** Whether the next frame continues the previous ones. */
  take(frame: Buffer): boolean {
    const sums = this.#sum(this.#sums, frame.subarray(0, 8));
    this.#sums = this.#sum(sums, frame.subarray(FRAME_HEADER_BYTES));
    return frame.subarray(8, 16).equals(this.#salt) && this.#isSum(frame, 16);
  }

  #isSum(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#sums[0] && bytes.readUInt32BE(at + 4) === this.#sums[1];
  }

  #sum([first, second]: readonly [number, number], bytes: Buffer): readonly [number, number] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isLittleEndian = !this.#isBigEndian;
    let [a, b] = [first, second];
    for (let at = 0; at < bytes.length; at += 8) {
      a = (a + view.getUint32(at, isLittleEndian) + b) >>> 0;
      b = (b + view.getUint32(at + 4, isLittleEndian) + a) >>> 0;
    }
    return [a, b];
  }
}
