// Determines which directories and names to watch for a change of a file. The file itself is not watched: a watch stays with the old file
// when another replaces it. cert-manager, Kubernetes and ACME clients replace links on the path.

import { readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** More links than any system follows. */
const MAX_LINKS = 40;

/** Where a change of a file is visible. */
export interface WatchedPlaces {
  /** The directories of the file and of all links on its path. */
  readonly directories: ReadonlySet<string>;
  /** The names of the file, the links and the directories on the path. Changes of other names are ignored. */
  readonly names: ReadonlySet<string>;
}

export async function watchedPlaces(path: string): Promise<WatchedPlaces> {
  const directories = new Set<string>();
  const names = new Set<string>();
  let target = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    directories.add(dirname(target));
    for (const name of target.split('/')) names.add(name);
    const link = await firstLink(target);
    if (link === undefined) break;
    directories.add(dirname(link.at));
    target = resolve(dirname(link.at), link.leadsTo, link.rest);
  }
  return { directories, names };
}

/** Returns the first part of a path that is a link. `rest` is the remaining path. */
async function firstLink(path: string): Promise<{ at: string; leadsTo: string; rest: string } | undefined> {
  const parts = path.split('/').slice(1);
  for (let count = 1; count <= parts.length; count++) {
    const at = `/${parts.slice(0, count).join('/')}`;
    const leadsTo = await readlink(at).catch(() => undefined);
    if (leadsTo !== undefined) return { at, leadsTo, rest: parts.slice(count).join('/') };
  }
  return undefined;
}
