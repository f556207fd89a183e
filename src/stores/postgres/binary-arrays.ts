// Encodes array parameters in the binary format of PostgreSQL. In the text format each byte would take two characters, which both sides
// would have to encode and decode.

const BYTEA = 17;
const BIGINT = 20;
const INTEGER_BYTES = 4;
const HEADER_BYTES = 20;
const NULL = -1;

/** Returns a `bytea[]` of one dimension. The driver sends a Buffer unchanged. */
export function byteaArray(elements: readonly (Uint8Array | null)[]): Buffer {
  const bytes = elements.reduce((sum, element) => sum + INTEGER_BYTES + (element?.length ?? 0), HEADER_BYTES);
  const array = Buffer.allocUnsafe(bytes);
  let at = writeHeader(array, BYTEA, elements.length, elements.includes(null));
  for (const element of elements) {
    at = array.writeInt32BE(element === null ? NULL : element.length, at);
    if (element === null) continue;
    array.set(element, at);
    at += element.length;
  }
  return array;
}

/** Returns a `bigint[]` of one dimension. */
export function bigintArray(elements: readonly number[]): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + elements.length * (INTEGER_BYTES + 8));
  let at = writeHeader(array, BIGINT, elements.length, false);
  for (const element of elements) {
    at = array.writeInt32BE(8, at);
    at = array.writeBigInt64BE(BigInt(element), at);
  }
  return array;
}

/** Writes the number of dimensions, whether there are nulls, the type of the elements, their number, and the index of the first. */
function writeHeader(array: Buffer, type: number, count: number, hasNulls: boolean): number {
  let at = 0;
  for (const field of [1, hasNulls ? 1 : 0, type, count, 1]) at = array.writeInt32BE(field, at);
  return at;
}
