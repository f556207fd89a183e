// The pages of a high-water mark: each has one checkpoint and its checksum, so that a torn or damaged page is detected.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { demandFile } from '../files/file-type.ts';
import { HistoryLost, type KeptCheckpoint } from '../ledger/index.ts';

export const PAGE_BYTES = 4_096;
/** Twice the size that 256 workers write, three pages each. A larger file was not written by this service, and is not read. */
const MAX_BYTES = 2 * 256 * 3 * PAGE_BYTES;

export function pagesOf(path: string): readonly Buffer[] {
  let bytes: Buffer;
  try {
    // Opening a FIFO would block.
    demandFile(path);
    if (statSync(path).size > MAX_BYTES) throw new HistoryLost('damaged mark', undefined, 0);
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const count = Math.ceil(bytes.length / PAGE_BYTES);
  return Array.from({ length: count }, (_, page) => bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
}

/** Reads the pages. Torn ones are left out; if none is intact, but some are not empty, the file is damaged. */
export function keptIn(pages: readonly Buffer[]): readonly KeptCheckpoint[] {
  const kept = pages.map(readPage).filter((page) => page !== undefined);
  if (kept.length === 0 && countDamaged(pages) > 0) throw new HistoryLost('damaged mark', undefined, 0);
  return kept;
}

export function countDamaged(pages: readonly Buffer[]): number {
  return pages.filter((page) => page.some((byte) => byte !== 0) && readPage(page) === undefined).length;
}

/** The checksum of the rest in hex, the time, and the signed note, padded with zeros. */
export function pageOf({ checkpoint, recordedAtMs }: KeptCheckpoint): Buffer {
  const text = `${new Date(recordedAtMs).toISOString()}\n${checkpoint}`;
  const page = Buffer.alloc(PAGE_BYTES);
  const length = page.write(`${checksumOf(text)}\n${text}`);
  if (length === PAGE_BYTES) throw new Error('the name of the ledger is too long');
  return page;
}

function readPage(page: Buffer): KeptCheckpoint | undefined {
  const end = page.indexOf(0);
  const [checksum, time = '', ...note] = page.toString('utf8', 0, end === -1 ? page.length : end).split('\n');
  const checkpoint = note.join('\n');
  if (checksum !== checksumOf(`${time}\n${checkpoint}`)) return undefined;
  return { checkpoint, recordedAtMs: Date.parse(time) };
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The second line of a checkpoint; -1 if the page has none. */
export function sizeIn(page: Buffer | undefined): number {
  const kept = page && readPage(page);
  return kept === undefined ? -1 : Number(kept.checkpoint.split('\n')[1]);
}
