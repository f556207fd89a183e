// What an attacker has done, in numbers. An attack that did nothing proves nothing.

const counts = new Map<string, number>();

export function tally(what: string, count = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + count);
}

export function counted(): Record<string, number> {
  return Object.fromEntries(counts);
}
