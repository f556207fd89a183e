// `clock.json` in the data directory: the time that the previous process trusted. It is not secret. Without it a service trusts a
// wall clock that is not before the newest entry.

import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { readStart } from '../files/bounded-read.ts';
import { demandFile } from '../files/file-type.ts';
import type { Anchor } from './anchor.ts';

const MEMBERS = ['bootMs', 'believedMs', 'lagMs', 'lagLeftMs', 'forgottenMs', 'excusedMs'] as const;

/**
 * The file always has the size of one sector: overwriting it needs no space on a full disk. Bytes after the sector are not from this
 * service, and are not read.
 */
const BYTES = 512;

/** The stored anchor; undefined if there is none, or if it is invalid. */
export function readAnchor(path: string): Anchor | undefined {
  try {
    const { sum, ...anchor } = JSON.parse(readStart(path, BYTES).toString('utf8')) as Anchor & {
      readonly sum?: unknown;
    };
    // Earlier releases wrote no checksum.
    if (sum !== undefined && sum !== sumOf(anchor)) return undefined;
    const isSound = typeof anchor.bootId === 'string' && MEMBERS.every((member) => isTime(anchor[member]));
    return isSound ? anchor : undefined;
  } catch {
    return undefined;
  }
}

/** Overwrites the file: a torn write is detected and counts as no file. Failures of the disk are reported by other code. */
export function writeAnchor(path: string, anchor: Anchor): void {
  try {
    // Opening a FIFO would block.
    demandFile(path);
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(file, `${JSON.stringify({ ...anchor, sum: sumOf(anchor) }).padEnd(BYTES - 1)}\n`, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    // The old content is still valid.
  }
}

/** Without a checksum, a flipped bit could give a time in the future, and the service would issue nothing, or trust no use, until then. */
function sumOf({ bootId, ...times }: Anchor): string {
  const text = JSON.stringify([bootId, ...MEMBERS.map((member) => times[member])]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
