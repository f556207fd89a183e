// Error messages for unknown settings, which are usually misspelled.

import { nearest } from '../spelling.ts';
import { CLIENT_SETTINGS } from './client-settings.ts';
import { meantByOtherName } from './other-names.ts';
import { serviceLinks } from './service-links.ts';

/** With more single edits than these it is another word. */
const MAX_EDITS = 3;

/** Returns an error message for each variable that begins as settings do and is not a setting. */
export function unknownInEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly string[] {
  const others = new Set([...known, ...CLIENT_SETTINGS, ...serviceLinks(env)]);
  return Object.keys(env)
    .filter((key) => key.startsWith('ECT_') && !others.has(key))
    .map((key) => unknownSetting(key, known));
}

/** Describes an unknown key of a configuration file. It shows the key only if it is a plain name: it may be a secret without its key. */
export function unknownInFile(key: string, known: readonly string[]): string {
  if (CLIENT_SETTINGS.has(key))
    return `${key} is a setting of the command line client, which reads the environment alone.`;
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(key))
    return 'a key that cannot be the name of a setting: see `ect serve --help`.';
  if (key.startsWith('ECT_')) return unknownSetting(key, known);
  const name = `ECT_${key.toUpperCase().replaceAll('-', '_')}`;
  return `${key} is not a setting: ${known.includes(name) ? `did you mean ${name}?` : 'names begin with ECT_, see `ect serve --help`.'}`;
}

/** Returns the message, with the one of the `known` settings that was probably meant. */
function unknownSetting(key: string, known: readonly string[]): string {
  const meant =
    meantByOtherName(key) ?? nearest(key, known, 1) ?? sameWords(key, known) ?? nearest(key, known, MAX_EDITS);
  return `${key} is not a setting: ${meant === undefined ? 'see `ect serve --help`.' : `did you mean ${meant}?`}`;
}

/**
 * Returns the only name that contains all words of the key, or whose words the key all contains: ECT_TLS_CA matches ECT_TLS_CLIENT_CA.
 */
function sameWords(key: string, names: readonly string[]): string | undefined {
  const words = wordsOf(key);
  const within = (a: readonly string[], b: readonly string[]) => a.length > 0 && a.every((word) => b.includes(word));
  const found = names.filter((name) => within(words, wordsOf(name)) || within(wordsOf(name), words));
  return found.length === 1 ? found[0] : undefined;
}

function wordsOf(name: string): readonly string[] {
  return name
    .split('_')
    .slice(1)
    .filter((word) => word !== '');
}
