// A name that is no setting: most often a setting that was misspelt.

import { meantByOtherName } from './other-names.ts';

/** More single edits than these make another word. */
const MAX_EDITS = 3;

/** What is wrong with a name that begins as settings do, and which of the `known` ones was probably meant. */
export function unknownSetting(key: string, known: Iterable<string>): string {
  const names = [...known];
  const meant =
    meantByOtherName(key) ?? nearest(key, names, 1) ?? sameWords(key, names) ?? nearest(key, names, MAX_EDITS);
  return `${key} is not a setting: ${meant === undefined ? 'see `ect serve --help`.' : `did you mean ${meant}?`}`;
}

function nearest(key: string, names: readonly string[], maxEdits: number): string | undefined {
  const [found] = names
    .map((name) => ({ name, edits: editsBetween(key, name) }))
    .filter(({ name, edits }) => edits <= Math.min(maxEdits, Math.floor(name.length / 4)))
    .sort((a, b) => a.edits - b.edits);
  return found?.name;
}

/** The one name that has all words of the key and more, or whose words the key all has: ECT_TLS_CA is ECT_TLS_CLIENT_CA. */
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

/** Letters to add, drop, replace or swap with their neighbour (optimal string alignment). */
function editsBetween(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const above = rows[i - 1] ?? [];
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
