// A volume with files that are replaced as Kubernetes does it, under a running service.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { Settings } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';

export const ISSUE = 'ect.v1.AuthorityService/Issue';
export const A = 'spiffe://example.org/a';
export const ORDER = { exec_act: 'review', aud: [A] };

export interface Files {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** A volume as the kubelet makes it: every file is a link, and one swap changes all of them at once. */
export interface Volume extends AsyncDisposable {
  readonly settings: Settings;
  path(name: string): string;
  /** Puts these files in place of all that were there. */
  swap(files: Files): Promise<void>;
}

export async function createVolume(files: Files): Promise<Volume> {
  const folder = await mkdtemp(join(tmpdir(), 'ect-volume-'));
  let version = 0;
  const path = (name: string) => join(folder, name);
  const swap = async ({ cert, key, ca }: Files) => {
    version++;
    await mkdir(path(`./..v${version}`));
    const named = { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca };
    for (const [name, content] of Object.entries(named)) await writeFile(path(`./..v${version}/${name}`), content);
    await symlink(`./..v${version}`, path('..data_tmp'));
    await rename(path('..data_tmp'), path('..data'));
    if (version > 1) await rm(path(`./..v${version - 1}`), { recursive: true });
  };
  await swap(files);
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await symlink(`..data/${name}`, path(name));
  return {
    path,
    swap,
    settings: { ECT_TLS_CERT: path('tls.crt'), ECT_TLS_KEY: path('tls.key'), ECT_TLS_CLIENT_CA: path('ca.crt') },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export const until = (holds: () => void | Promise<void>) => vi.waitFor(holds, SOON);
