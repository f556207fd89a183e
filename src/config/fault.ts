// Which part of its rule the text of a setting breaks.

import type { BaseIssue } from 'valibot';

/** A clause without a full stop, and without the text, which may be a secret in the wrong place. */
export class Fault {
  readonly clause: string;

  constructor(clause: string) {
    this.clause = clause;
  }
}

/** What a type says about the text; undefined where it says nothing. The messages of valibot itself show the text. */
export function clauseOf(issues: readonly BaseIssue<unknown>[]): string | undefined {
  const own = issues.find(({ type }) => type === 'raw_transform');
  if (own !== undefined && own.message !== '') return own.message;
  const [entry] = issues[0]?.path ?? [];
  const isOneOfMany = Array.isArray(entry?.input) && entry.input.length > 1;
  return isOneOfMany && typeof entry.key === 'number' ? `entry ${entry.key + 1} of the list is wrong` : undefined;
}
