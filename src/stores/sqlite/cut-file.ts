// Detects a truncated database file. SQLite rejects a file that lacks whole pages; if only a part of the last page is missing, it reads
// zeros that were never written.

import { statSync } from 'node:fs';
import { EctError, reject } from '../../errors.ts';
import { readStart } from '../../files/bounded-read.ts';
import type { FileReasons } from './failures.ts';

/** The header of SQLite's file format, section 1.3. */
const HEADER_BYTES = 100;
const PAGE_SIZE_AT = 16;
const CHANGES_AT = 24;
const PAGES_AT = 28;
/** The change counter at which the number of pages was written. */
const COUNTED_AT = 92;
/** How a page size of 64 KiB is written. */
const LARGEST_PAGE = 1;

/** Rejects a file that is shorter than its header says. Other processes may be writing it. */
export function rejectCutFile(path: string, reasons: FileReasons): void {
  // Checked twice, because another process may move pages and remove the write-ahead file in between.
  if (missingBytes(path) === 0) return;
  const missing = missingBytes(path);
  if (missing === 0) return;
  const name = `${reasons.what} (${reasons.file ?? path})`;
  const message = `The ${name} is damaged: its last ${missing === 1 ? 'byte is' : `${missing} bytes are`} missing. Restore it from a backup.`;
  throw new EctError(reject(reasons.corrupt, message));
}

/** 0 while there is a write-ahead file: it may contain the missing pages. */
function missingBytes(path: string): number {
  if (hasFrames(path)) return 0;
  const header = readStart(path, HEADER_BYTES);
  if (header.length < HEADER_BYTES || header.readUInt32BE(CHANGES_AT) !== header.readUInt32BE(COUNTED_AT)) return 0;
  const pageSize = header.readUInt16BE(PAGE_SIZE_AT);
  const bytes = header.readUInt32BE(PAGES_AT) * (pageSize === LARGEST_PAGE ? 65_536 : pageSize);
  const missing = Math.max(0, bytes - statSync(path).size);
  return hasFrames(path) ? 0 : missing;
}

function hasFrames(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
