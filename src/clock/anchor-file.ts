// The file by which a process knows which time the one before it trusted: `clock.json` in the data directory. It holds no
// secret, and a service that lost it trusts a wall clock that is not before the newest entry.

import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { readStart } from '../files/bounded-read.ts';
import { demandFile } from '../files/file-type.ts';
import type { Anchor } from './anchor.ts';

const MEMBERS = ['bootMs', 'believedMs', 'lagMs', 'lagLeftMs', 'forgottenMs', 'excusedMs'] as const;

/**
 * One sector, whatever is written: a file that is there is written over, which needs no space on a disk that is full. What lies behind it
 * is not of this service, and is not read.
 */
const BYTES = 512;

/** What is written there; undefined where that is nothing, or nothing that could have been written. */
export function readAnchor(path: string): Anchor | undefined {
  try {
    const { sum, ...anchor } = JSON.parse(readStart(path, BYTES).toString('utf8')) as Anchor & {
      readonly sum?: unknown;
    };
    // Releases before this one wrote none.
    if (sum !== undefined && sum !== sumOf(anchor)) return undefined;
    const isSound = typeof anchor.bootId === 'string' && MEMBERS.every((member) => isTime(anchor[member]));
    return isSound ? anchor : undefined;
  } catch {
    return undefined;
  }
}

/** Writes it in place, since half a file is as good as none. A disk that takes nothing is heard of elsewhere. */
export function writeAnchor(path: string, anchor: Anchor): void {
  try {
    // A FIFO in its place would be waited for.
    demandFile(path);
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(file, `${JSON.stringify({ ...anchor, sum: sumOf(anchor) }).padEnd(BYTES - 1)}\n`, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    // What is there already stays true.
  }
}

/** A flipped bit makes another time of a time: nothing would be dated, or no use trusted, for as long as that lies ahead. */
function sumOf({ bootId, ...times }: Anchor): string {
  const text = JSON.stringify([bootId, ...MEMBERS.map((member) => times[member])]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
