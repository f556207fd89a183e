// The file by which a process knows what the one before it believed: `clock.json` in the data directory. It holds no secret, and
// a service that lost it believes a wall clock that is not before the newest entry.

import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { demandFile } from '../file-type.ts';
import type { Anchor } from './anchor.ts';

const MEMBERS = ['bootMs', 'believedMs', 'lagMs', 'lagLeftMs', 'forgottenMs', 'excusedMs'] as const;

/** What is written there; undefined where that is nothing, or nothing that could have been written. */
export function readAnchor(path: string): Anchor | undefined {
  try {
    demandFile(path);
    const anchor = JSON.parse(readFileSync(path, 'utf8')) as Anchor;
    const isSound = typeof anchor.bootId === 'string' && MEMBERS.every((member) => isTime(anchor[member]));
    return isSound ? anchor : undefined;
  } catch {
    return undefined;
  }
}

/** One sector, whatever is written: a file that is there is written over, which needs no space on a disk that is full. */
const BYTES = 512;

/** Writes it in place, since half a file is as good as none. A disk that takes nothing is heard of elsewhere. */
export function writeAnchor(path: string, anchor: Anchor): void {
  try {
    // A FIFO in its place would be waited for.
    demandFile(path);
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(file, `${JSON.stringify(anchor).padEnd(BYTES - 1)}\n`, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    // What is there already stays true.
  }
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
