// Rules between settings.

export interface Rules {
  /** Whether a setting is given, rightly or not. */
  isGiven(name: string): boolean;
  problem(sentence: string): void;
  /** Notes each of these that is given although it changes nothing without `setting`. */
  needs(names: Iterable<string>, setting: string): void;
}

export function rulesOf(isGiven: (name: string) => boolean, problem: (sentence: string) => void): Rules {
  return {
    isGiven,
    problem,
    needs(names, setting) {
      for (const name of names) if (isGiven(name)) problem(`${name} needs ${setting}.`);
    },
  };
}
