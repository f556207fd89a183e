// Describes which part of its rule the text of a setting violates.

import type { BaseIssue } from 'valibot';

/** A clause without a full stop. It does not contain the text, which may be a misplaced secret. */
export class Fault {
  readonly clause: string;

  constructor(clause: string) {
    this.clause = clause;
  }
}

/** Returns what a type says about the text; undefined if it says nothing. The messages of valibot itself contain the text. */
export function clauseOf(issues: readonly BaseIssue<unknown>[]): string | undefined {
  const own = issues.find(({ type }) => type === 'raw_transform');
  if (own !== undefined && own.message !== '') return own.message;
  const [entry] = issues[0]?.path ?? [];
  const isOneOfMany = Array.isArray(entry?.input) && entry.input.length > 1;
  return isOneOfMany && typeof entry.key === 'number' ? `entry ${entry.key + 1} of the list is wrong` : undefined;
}
