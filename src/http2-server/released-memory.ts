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

/** Whether the bytes are in memory that will be released. */
export function isInOwnedChunk({ buffer }: Buffer): boolean {
  return buffer.byteLength >= LARGE_BYTES && owned.has(buffer);
}

/** Frees the memory that the bytes are in, if it was registered. */
export function releaseChunk(bytes: Buffer): void {
  if (isInOwnedChunk(bytes)) release(bytes);
}

/** Memory whose only reader may release it. */
const passedOn = new WeakSet<ArrayBufferLike>();

/**
 * Passes bytes of a chunk on to one reader. If the chunk is registered, they are all of it, and the reader owns it from now on; or a copy,
 * because the chunk will be released.
 */
export function passOn(bytes: Buffer): Buffer {
  if (!isInOwnedChunk(bytes)) return bytes;
  if (bytes.length < LARGE_BYTES) return Buffer.from(bytes);
  const isWhole = bytes.length === bytes.buffer.byteLength;
  const passed = isWhole ? bytes : Buffer.allocUnsafeSlow(bytes.length);
  if (isWhole) owned.delete(bytes.buffer);
  else passed.set(bytes);
  passedOn.add(passed.buffer);
  return passed;
}

/** Frees the memory of a part of a body that its reader has read, if it is all of what was passed on. */
export function releasePart(part: Uint8Array): void {
  if (part.length === part.buffer.byteLength && passedOn.has(part.buffer)) release(part);
}
