// Graphs with policy decisions: what was not approved is followed only by what makes up for it, or by people.

import { graph } from './collect.ts';
import { expected, task } from './graphs.ts';

const decided = (decision: string) => ({ ect_ext: { pol: 'policy_v1', pol_decision: decision } });
const pair = { size: 2, depth: 2, roots: ['a'], leaves: ['b'] };
const notApproved = expected('invalid', pair, [['DAG_PREDECESSOR_NOT_APPROVED', 'b', 'a']]);

graph(
  'complete/after-approval',
  'A task may follow one that was approved.',
  [task('a', [], decided('approved')), task('b', ['a'])],
  expected('complete', pair),
);
graph(
  'complete/compensation-after-rejection',
  'A compensation may follow what was rejected.',
  [task('a', [], decided('rejected')), task('b', ['a'], { ect_ext: { compensation_required: true } })],
  expected('complete', pair),
);
graph(
  'complete/rejected-leaf',
  'What was rejected may be the end of a graph.',
  [task('a'), task('b', ['a'], decided('rejected'))],
  expected('complete', pair),
);
graph(
  'invalid/after-rejection',
  'No other task follows what was rejected.',
  [task('a', [], decided('rejected')), task('b', ['a'])],
  notApproved,
);
graph(
  'invalid/after-pending-review',
  'No other task follows what waits for a person.',
  [task('a', [], decided('pending_human_review')), task('b', ['a'], decided('approved'))],
  notApproved,
);
graph(
  'invalid/compensation-not-required',
  'A task that says it is no compensation is none.',
  [
    task('a', [], decided('rejected')),
    task('b', ['a'], { ect_ext: { compensation_required: false, compensation_reason: 'none' } }),
  ],
  notApproved,
);
graph(
  'invalid/rejection-in-the-middle',
  'A rejection counts wherever it stands, and only for those who follow it directly.',
  [task('a'), task('b', ['a'], decided('rejected')), task('c', ['b']), task('d', ['c'])],
  expected('invalid', { size: 4, depth: 4, roots: ['a'], leaves: ['d'] }, [['DAG_PREDECESSOR_NOT_APPROVED', 'c', 'b']]),
);
graph(
  'complete/review-after-pending-review',
  'People may look at what waits for them.',
  [task('a', [], decided('pending_human_review')), task('b', ['a'], { exec_act: 'human_review' })],
  expected('complete', pair),
);
