// Returns the memory of large buffers to the C library at once. The garbage collector notices late how large they are: while peers sent
// large bodies without end, a process kept 100 MiB of bytes that had been parsed.

/** Less than this may be a part of memory that belongs to others too. */
const OWN_BYTES = 64 * 1024;

/** Smaller memory is left to the garbage collector. */
const LARGE_BYTES = 8 * 1024;

/** Detaches the memory of a block, which has an ArrayBuffer of its own; views of it become empty. */
export function release({ buffer }: Uint8Array): void {
  if (buffer.byteLength > 0 && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * Frees the memory of what `JoinedBytes.read` has returned, if there were several blocks: less than that may belong to others too. The
 * bytes, and all views of them, are empty afterwards.
 */
export function releaseBytes(bytes: Buffer): void {
  if (bytes.length > OWN_BYTES) release(bytes);
}

/** Memory that is released when it has been parsed. Other memory may have the same size: Node's pool for small buffers, for example. */
const owned = new WeakSet<ArrayBufferLike>();

/**
 * Registers what a socket has read, or a block in which that is joined: if it is large and all of its memory, it will be released when it
 * has been parsed. What is kept of it must be copied.
 */
export function ownChunk({ length, buffer }: Buffer): void {
  if (length >= LARGE_BYTES && length === buffer.byteLength) owned.add(buffer);
}

/** Frees the memory of bytes that were copied, if it is large and holds nothing else. */
export function releaseCopied(bytes: Uint8Array): void {
  if (bytes.length >= LARGE_BYTES && bytes.length === bytes.buffer.byteLength) release(bytes);
}

/** Whether the bytes are in memory that will be released. */
export function isInOwnedChunk({ buffer }: Buffer): boolean {
  return buffer.byteLength >= LARGE_BYTES && owned.has(buffer);
}

/** Frees the memory that the bytes are in, if it was registered. */
export function releaseChunk(bytes: Buffer): void {
  if (isInOwnedChunk(bytes)) release(bytes);
}

/** Returns bytes that their reader may keep: a registered chunk, which nobody releases any more, or a copy of a part of one. */
export function passOn(bytes: Buffer): Buffer {
  if (!isInOwnedChunk(bytes)) return bytes;
  if (bytes.length < bytes.buffer.byteLength) return Buffer.from(bytes);
  owned.delete(bytes.buffer);
  return bytes;
}
