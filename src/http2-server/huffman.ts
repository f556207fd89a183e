// The Huffman code of HPACK (RFC 7541, appendix B), decoded four bits at a time. The code is canonical, so the lengths of its codes
// define it: codes of equal length count up in the order of the symbols.

/** `length of the code × how many consecutive symbols have it`, for the symbols 0 to 255 and the end of string. */
const CODE_LENGTHS =
  '13 23 28x7 24 30 28x2 30 28x8 30 28x9 6 10x2 12 13 6 8 11 10x2 8 11 8 6x3 5x3 6x7 7 8 15 6 12 10 13 6 7x22 8 7 8 13 ' +
  '19 13 14 6 15 5 6 5 6 5 6x3 5 7x2 6x3 5 6 7 6 5x2 6 7x5 15 11 14 13 28 20 22 20x2 22x3 23 22 23x5 24 23 24x2 22 23 ' +
  '24 23x4 21 22 23 22 23x2 24 22 21 20 22x2 23x2 21 23 22x2 24 21 22 23x2 21x2 22 21 23 22 23x2 20 22x3 23 22x2 23 ' +
  '26x2 20 19 22 23 22 25 26x3 27x2 26 24 25 19 21 26 27x2 26 27 24 21x2 26x2 28 27x3 20 24 20 21 22 21x2 23 22x2 25x2 ' +
  '24x2 26 23 26 27 26x2 27x5 28 27x5 26 30';

const END_OF_STRING = 256;
const SYMBOLS = 257;
const MAX_CODE_BITS = 30;
/** Inner nodes of the tree: one fewer than its leaves. */
const STATES = SYMBOLS - 1;

/**
 * A step decodes four bits: bits 0-8 the next state, bit 9 whether a symbol is complete, bits 10-17 the symbol, bit 18 whether the code
 * is invalid.
 */
const EMITS = 1 << 9;
const BROKEN = 1 << 18;

const steps = new Uint32Array(STATES * 16);
/** Whether a text may end in this state: no bits, or at most seven ones, which are the start of the end of string. */
const mayEnd = new Uint8Array(STATES);
build();

let scratch = Buffer.allocUnsafeSlow(1024);

/** Decodes a text, with one character per byte. `undefined` if the bytes are not valid in this code. */
export function readHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  // The shortest code has five bits.
  const most = Math.floor(((end - start) * 8) / 5);
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * most);
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const first = steps[state * 16 + (byte >> 4)]!;
    if (first & EMITS) scratch[length++] = first >> 10;
    const second = steps[(first & 511) * 16 + (byte & 15)]!;
    if (second & EMITS) scratch[length++] = second >> 10;
    if ((first | second) & BROKEN) return undefined;
    state = second & 511;
  }
  return mayEnd[state] === 1 ? scratch.toString('latin1', 0, length) : undefined;
}

/** Builds the tree from the lengths, and the steps from the tree. */
function build(): void {
  const lengths = CODE_LENGTHS.split(' ').flatMap((run) => {
    const [length, count = '1'] = run.split('x');
    return Array.from({ length: Number(count) }, () => Number(length));
  });
  if (lengths.length !== SYMBOLS) throw new TypeError('the lengths of the Huffman code are incomplete');
  // Each node has two children: an inner node as a number above zero, or a leaf as -1 - symbol.
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    code *= 2;
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      if (lengths[symbol] === bits) plant(children, code++, bits, symbol);
    }
  }
  if (code !== 2 ** MAX_CODE_BITS || children.length !== STATES)
    throw new TypeError('the Huffman code is not complete');
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < 16; nibble++) steps[state * 16 + nibble] = walk(children, state, nibble);
  }
  for (let state = 0, ones = 0; ones < 8; ones++) {
    mayEnd[state] = 1;
    state = children[state]![1];
  }
}

function plant(children: [number, number][], code: number, bits: number, symbol: number): void {
  let node = 0;
  for (let bit = bits - 1; bit > 0; bit--) {
    const side = (code >> bit) & 1;
    if (children[node]![side] === 0) children[node]![side] = children.push([0, 0]) - 1;
    node = children[node]![side]!;
  }
  children[node]![code & 1] = -1 - symbol;
}

function walk(children: readonly [number, number][], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[node]![(nibble >> bit) & 1]!;
    if (next >= 0) {
      node = next;
      continue;
    }
    const symbol = -1 - next;
    // An encoded end of string is an error.
    if (symbol === END_OF_STRING) return BROKEN;
    emitted = EMITS | (symbol << 10);
    node = 0;
  }
  return emitted | node;
}
