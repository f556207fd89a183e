// Opens the configuration file.

import { open } from 'node:fs/promises';
import { demandFile } from '../files/file-type.ts';
import { fileFault } from '../files/system-faults.ts';
import { CLIENT_SETTINGS } from './client-settings.ts';
import type { ConfigFile } from './file.ts';
import { SETTINGS } from './table.ts';
import { isPath } from './types.ts';

const MAX_FILE_BYTES = 64 * 1024;
const OTHERS_WRITE = 0o002;

/** Opens and reads the file. Faults that an operator can correct are returned as problems, not thrown. */
export async function openConfigFile(path: string): Promise<ConfigFile> {
  const read = isPath(path) ? await readText(path) : { fault: 'give its path, not its content' };
  if ('fault' in read) {
    return { settings: new Map(), problems: [`The configuration file cannot be used: ${read.fault}.`] };
  }
  // Without a file the YAML parser is not loaded, which makes the start faster.
  const { readConfigFile } = await import('./file.ts');
  return readConfigFile(path, read.text);
}

/**
 * Adds the settings to the environment, for code that reads it: the workers of a service, and commands with options of the same names.
 * The environment has precedence.
 */
export function addToEnvironment(env: NodeJS.ProcessEnv, { settings }: ConfigFile): void {
  for (const [name, { text }] of settings) if ((env[name] ?? '') === '') env[name] = text;
}

/** Removes empty settings of the service and the client, so that all readers of this environment treat them as unset. */
export function dropEmptySettings(env: NodeJS.ProcessEnv): void {
  for (const name of [...Object.keys(SETTINGS), ...CLIENT_SETTINGS]) if (env[name] === '') delete env[name];
}

async function readText(path: string): Promise<{ readonly text: string } | { readonly fault: string }> {
  try {
    demandFile(path);
    await using file = await open(path);
    // Both mode and text come from the open file, because the path may refer to another file by now.
    const { mode, size } = await file.stat();
    if ((mode & OTHERS_WRITE) !== 0) return { fault: `${path} can be written by others: run chmod o-w on it` };
    if (size > MAX_FILE_BYTES) return { fault: `${path} is larger than 64 KiB` };
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_FILE_BYTES), 0, MAX_FILE_BYTES, 0);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead));
    return { text };
  } catch (error) {
    return { fault: error instanceof TypeError ? `${path} is not UTF-8` : fileFault(path, error) };
  }
}
