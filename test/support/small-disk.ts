// A small file system that can really be full. Mounting it requires root.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const CAN_MOUNT = process.getuid?.() === 0 && process.platform === 'linux';
export const NEED_TO_MOUNT = 'root on Linux, to mount a small file system';

const MIB = 1024 * 1024;

/** Makes a file system of this many MiB. A ballast file takes a part of it, and can be removed. */
export async function smallDisk(sizeMib: number, ballastMib = 4) {
  const path = await mkdtemp(join(tmpdir(), 'ect-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', path]);
  const ballast = join(path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(ballastMib * MIB));
  return {
    file: (name: string) => join(path, name),
    makeSpace: () => rmSync(ballast),
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', [path]);
      await rm(path, { recursive: true });
    },
  };
}
