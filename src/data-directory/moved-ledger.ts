// A ledger that was copied elsewhere, to be continued there: continued here too, it would have two histories under one key.

import { existsSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { syncDirectory } from '../files/atomic-files.ts';
import { type DataDir, StartError } from './data-dir.ts';

/** Says in the directory that its ledger goes on elsewhere. Durable when this returns. */
export async function writeMoved(dir: DataDir, target: string): Promise<void> {
  // In place: whatever it says, that it is there is what counts.
  writeFileSync(dir.moved, `${new Date().toISOString()} copied to ${target}\n`, { mode: 0o600, flush: true });
  await syncDirectory(dir.path);
}

/** StartError where the ledger of the directory goes on elsewhere. */
export function rejectMoved(dir: DataDir): void {
  if (!existsSync(dir.moved)) return;
  const name = basename(dir.moved);
  throw new StartError(
    `The ledger in ${dir.path} was copied by \`ect ledger copy\` (${name}): continued in both places it would have two histories. ` +
      `Start the service over the copy. If nothing was ever started over that, delete the copy, and remove ${name}.`,
  );
}
