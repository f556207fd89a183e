// Small files that must be there whole or not at all, and for one user only.

import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSmall } from './bounded-read.ts';
import { demandFile } from './file-type.ts';
import { isRootsForItsGroup, privacyOf } from './privacy.ts';

/** How the name of a draft ends. */
const DRAFT = /^(?:owner\.json|ledger\.mark)\.new$|\.[0-9a-f]{12}\.new$/;

/**
 * Creates `path` with mode 0600 unless it exists. The first process wins, and no process ever sees an incomplete file. The content
 * and the name are on disk when this returns.
 */
export async function createFileOnce(path: string, content: () => string): Promise<void> {
  if (await exists(path)) return;
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    await writeNew(draft, content());
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Removes temporary files of killed processes in a directory: they may contain keys. No other process may be creating files there. */
export async function removeDrafts(directory: string): Promise<void> {
  const drafts = (await readdir(directory, { withFileTypes: true })).filter((it) => it.isFile() && DRAFT.test(it.name));
  await Promise.all(drafts.map(({ name }) => rm(join(directory, name), { force: true })));
}

/** The text of a private file, or what is wrong with its rights: a sentence without its subject. */
export type PrivateText = { readonly text: string } | { readonly fault: string };

export interface PrivateRead {
  /** The service made the file itself. */
  readonly isOurs: boolean;
  /** Rights stay as they are: for a check, which changes nothing. */
  readonly isDryRun?: boolean;
}

/**
 * Reads a file that must be for its owner only. Rights of the group are taken away where this process may do that. Mode and
 * text are of one file, whatever its name stands for by then.
 */
export async function readPrivateFile(path: string, { isOurs, isDryRun = false }: PrivateRead): Promise<PrivateText> {
  // Advice about a mode would not help with a directory. The operator may hand over a secret through a pipe.
  demandFile(path, isOurs ? 'file' : 'file or pipe');
  await using file = await open(path, 'r');
  const privacy = privacyOf(await file.stat(), process.geteuid?.() ?? 0, isOurs);
  if (privacy.kind === 'open') return { fault: privacy.fault };
  if (privacy.kind === 'tighten' && !isDryRun) {
    const fault = await tighten(file);
    if (fault !== undefined) return { fault };
  }
  return { text: (await readSmall(file)).toString('utf8') };
}

/** Returns what is wrong where that is not possible. */
async function tighten(file: FileHandle): Promise<string | undefined> {
  const before = await file.stat();
  try {
    await file.chmod(before.mode & 0o700);
    // Some file systems take the call and keep the mode.
    if (((await file.stat()).mode & 0o077) === 0) return undefined;
  } catch {
    // A mount that is read only: what root alone can change is as good.
    if (isRootsForItsGroup(before)) return undefined;
  }
  return 'can be read by its group, and the file system does not let that be changed: mount it with mode 0600';
}

/**
 * Makes a directory, and those above it, where there is none. Node's recursive `mkdir` never ends below /proc, where the system
 * reports that the directory above is missing although it exists.
 */
export async function makeDirectory(path: string, mode = 0o700): Promise<void> {
  if (await makeOne(path, mode)) return;
  await makeDirectory(dirname(path), mode);
  if (!(await makeOne(path, mode))) throw new Error(`no directory can be made below ${dirname(path)}`);
}

/** False: what should be above it is missing. */
async function makeOne(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    await syncNameOf(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && dirname(path) !== path) return false;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return true;
    throw error;
  }
}

/** A directory whose name is not on the disk goes in a crash of the machine, with everything in it. */
async function syncNameOf(directory: string): Promise<void> {
  try {
    await syncDirectory(dirname(directory));
  } catch (error) {
    // Names can be made in a directory that this user may not read. Then there is no way to sync it.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Gives files of a directory a second name in the new directory `keptIn`. It is there with all of them, on the disk, when this
 * answers; where anything fails, it is not there.
 */
export async function linkAside(directory: string, names: readonly string[], keptIn: string): Promise<void> {
  await mkdir(keptIn, { mode: 0o700 });
  try {
    for (const name of names) await link(join(directory, name), join(keptIn, name));
    await syncDirectory(keptIn);
    await syncDirectory(directory);
  } catch (error) {
    await rm(keptIn, { recursive: true, force: true });
    throw error;
  }
}

/** `/data/signing-key.pem is a directory, not a file`, of the first such: a directory has no second name. */
export function directoryAmong(directory: string, names: readonly string[]): string | undefined {
  const paths = names.map((name) => join(directory, name));
  const found = paths.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory());
  return found && `${found} is a directory, not a file`;
}

/** Brings the names in a directory to the disk. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
