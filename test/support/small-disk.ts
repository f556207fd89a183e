// A small file system of its own, which can really be full. It takes root to mount one.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const CAN_MOUNT = process.getuid?.() === 0 && process.platform === 'linux';
export const NEED_TO_MOUNT = 'root on Linux, to mount a small file system';

const MIB = 1024 * 1024;

/** A file system of so many MiB, some of which are taken by a ballast that can be thrown off. */
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
