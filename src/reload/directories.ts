// Which directories must be watched to notice that the file behind a path has changed, and for which names. Not the file itself: a watch
// holds the file that was there, and what replaces it is another one. cert-manager, Kubernetes and ACME clients swap links on the way.

import { readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** More links than the system follows. */
const MAX_LINKS = 40;

/** Where a change of a file shows. */
export interface WatchedPlaces {
  /** The directories that hold the file, or a link on the way to it. */
  readonly directories: ReadonlySet<string>;
  /** What the file, the links and the directories on the way are called. A change of anything else does not concern the file. */
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

/** The first part of a path that is a link; `rest` comes behind it. */
async function firstLink(path: string): Promise<{ at: string; leadsTo: string; rest: string } | undefined> {
  const parts = path.split('/').slice(1);
  for (let count = 1; count <= parts.length; count++) {
    const at = `/${parts.slice(0, count).join('/')}`;
    const leadsTo = await readlink(at).catch(() => undefined);
    if (leadsTo !== undefined) return { at, leadsTo, rest: parts.slice(count).join('/') };
  }
  return undefined;
}
