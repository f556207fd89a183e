// Why a file or directory cannot be used: who owns it, who asks, and what changes that.

import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Codes that say that the file system is fine, and this user may not do it. */
const DENIED: ReadonlySet<string> = new Set(['EACCES', 'EPERM']);

/**
 * Why `path` cannot be read and written; undefined where it can, and where it is not there. A file that belongs to another user
 * is refused even where the group may write it: its mode could not be changed.
 */
export async function whyNotWritable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    const found = await stat(path);
    const user = process.geteuid?.() ?? 0;
    const isForeign = found.isFile() && user !== 0 && found.uid !== user;
    return isForeign ? await explainDenial(path, 'EPERM') : undefined;
  } catch (error) {
    return explainDenial(path, (error as NodeJS.ErrnoException).code ?? 'unknown');
  }
}

/** What the system's code means for `path`: two sentences that can be acted on; undefined where the code says nothing of rights. */
export async function explainDenial(path: string, code: string): Promise<string | undefined> {
  if (code === 'EROFS') return `${path} is on a file system that is mounted read-only: mount a volume there.`;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `${path} is on a file system that is full (${code}): free some space.`;
  if (!DENIED.has(code)) return undefined;
  const { place, uid, mode } = await nearest(path);
  const [user, group] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return (
    `${place} belongs to user ${uid} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')}), and this process, which is ` +
    `user ${user}, may not change it (${code}). Run chown -R ${user}:${group} on it; in Kubernetes say in the spec of the pod:\n` +
    `  securityContext:\n    runAsUser: ${user}\n    fsGroup: ${group}`
  );
}

/** The path itself, or what is there of the way to it. */
async function nearest(path: string): Promise<{ place: string; uid: number; mode: number }> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { uid, mode } = await stat(place);
      return { place, uid, mode };
    } catch (error) {
      if (dirname(place) === place) throw error;
    }
  }
}
