// Files of the configuration that belong together, such as a certificate and its key: read as one, judged as one, and put in
// force as one, at the start and whenever they change.

import { type Content, digestOf, isStream, readContents } from './contents.ts';

export interface FileGroup<Value> {
  /** The label of metrics and events. */
  readonly name: string;
  readonly paths: readonly string[];
  /** What the files say, in the order of `paths`. Throws where they cannot be used; the message names the file and no secret. */
  parse(contents: readonly Content[]): Value | Promise<Value>;
  /** `parse` opens the files itself, because their owner and mode count too. What is no file by then is among the contents. */
  readonly opensFiles?: true;
}

/** A group as it was read at the start. */
export interface LoadedGroup<Value> {
  readonly group: FileGroup<Value>;
  readonly value: Value;
  /** Which bytes these were. */
  readonly digest: string;
  /** False: one of them is a pipe or a device, which can be read once. */
  readonly isReloadable: boolean;
}

/** Reads a group. Throws what `parse` throws. */
export async function loadGroup<Value>(group: FileGroup<Value>): Promise<LoadedGroup<Value>> {
  const isReloadable = !(await Promise.all(group.paths.map(isStream))).includes(true);
  // A pipe gives its bytes to the first who reads.
  const contents = group.opensFiles && !isReloadable ? [] : await readContents(group.paths, 'file or pipe');
  const value = await group.parse(contents);
  return { group, value, digest: digestOf(contents), isReloadable };
}
