// Merges the mistakes of a policy file. Cedar validates a policy for every action and every kind of caller, and reports a mistake for
// each of them.

import { nearest } from '../spelling.ts';
import type { PolicyProblem } from './policy-file.ts';

/** The parts in which the reports of one mistake differ, and the positional name of a policy. */
const SUBJECT = /ECT::Action::"\w+"|ECT::\w+/;
const POLICY = /^for policy `policy\d+`, /;
const HELP = / \(did you mean `(\w+)`\?\)$/;

/** One report for each mistake, in the order of the file. */
export function distinctProblems(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const byMistake = Map.groupBy(problems, ({ line, column, message }) =>
    [line, column, message.replace(HELP, '').replace(SUBJECT, '')].join(' '),
  );
  // The engine reports them in no particular order.
  const inOrder = (a: PolicyProblem, b: PolicyProblem) => (a.message < b.message ? -1 : 1);
  return [...byMistake.values()]
    .flatMap((statements) => merged(statements.toSorted(inOrder)))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function merged([first, ...others]: readonly PolicyProblem[]): readonly PolicyProblem[] {
  if (first === undefined) return [];
  const message = first.message.replace(POLICY, '');
  if (others.length === 0) return [{ ...first, message }];
  const kind = message.includes('ECT::Action::') ? 'action' : 'type';
  const more = `${others.length} other ${kind}${others.length === 1 ? '' : 's'}`;
  const meant = meantIn([first, ...others].map((problem) => problem.message));
  const help = meant === undefined ? '' : `; did you mean \`${meant}\`?`;
  return [{ ...first, message: `${message.replace(HELP, '')} (and for ${more}${help})` }];
}

/** Of the proposed names the one nearest to the wrong name: for some actions the engine proposes another one. */
function meantIn(messages: readonly string[]): string | undefined {
  const proposed = new Set(messages.flatMap((message) => HELP.exec(message)?.[1] ?? []));
  const wrong = /`(\w+)`/.exec((messages[0] ?? '').replace(POLICY, ''))?.[1] ?? '';
  return proposed.size === 1 ? [...proposed][0] : nearest(wrong, [...proposed], 3);
}
