// Which directories must be watched to notice that the file behind a path has changed. Not the file itself: a watch holds the
// file that was there, and what replaces it is another one. cert-manager, Kubernetes and ACME clients swap links on the way.

import { readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** More links than the system follows. */
const MAX_LINKS = 40;

/** The directories that hold the file, or a link on the way to it. */
export async function directoriesOf(path: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let target = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    found.add(dirname(target));
    const link = await firstLink(target);
    if (link === undefined) break;
    found.add(dirname(link.at));
    target = resolve(dirname(link.at), link.leadsTo, link.rest);
  }
  return found;
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
