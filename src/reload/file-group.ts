// A group of configuration files that belong together, such as a certificate and its key. They are read, checked and applied together, at
// the start and after each change.

import { type Content, digestOf, isStream, readContents } from './contents.ts';

export interface FileGroup<Value> {
  /** The name of the group in metrics and events. */
  readonly name: string;
  readonly paths: readonly string[];
  /**
   * Parses the contents, which are in the order of `paths`. Throws if they are invalid; the message names the file and contains no
   * secret.
   */
  parse(contents: readonly Content[]): Value | Promise<Value>;
  /**
   * Whether `parse` opens the files itself, because their owner and mode matter too. Paths that are no longer files are in `contents`.
   */
  readonly opensFiles?: true;
}

/** A group that was read at the start. */
export interface LoadedGroup<Value> {
  readonly group: FileGroup<Value>;
  readonly value: Value;
  /** The digest of the contents that were read. */
  readonly digest: string;
  /** False if one of them is a pipe or a device, which can be read only once. */
  readonly isReloadable: boolean;
}

/** Reads a group. Throws the errors of `parse`. */
export async function loadGroup<Value>(group: FileGroup<Value>): Promise<LoadedGroup<Value>> {
  const isReloadable = !(await Promise.all(group.paths.map(isStream))).includes(true);
  // Only the first reader of a pipe gets its bytes.
  const contents = group.opensFiles && !isReloadable ? [] : await readContents(group.paths, 'file or pipe');
  const value = await group.parse(contents);
  return { group, value, digest: digestOf(contents), isReloadable };
}
