// A name that is no setting: most often a setting that was misspelt.

/** More single edits than these make another word. */
const MAX_EDITS = 3;

/** What is wrong with a name that begins as settings do, and which of the `known` ones was probably meant. */
export function unknownSetting(key: string, known: Iterable<string>): string {
  const [nearest] = [...known]
    .map((name) => ({ name, edits: editsBetween(key, name) }))
    .filter(({ name, edits }) => edits <= Math.min(MAX_EDITS, Math.floor(name.length / 4)))
    .sort((a, b) => a.edits - b.edits);
  const hint = nearest === undefined ? 'see `ect serve --help`' : `did you mean ${nearest.name}?`;
  return `${key} is not a setting: ${hint}${nearest === undefined ? '.' : ''}`;
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
