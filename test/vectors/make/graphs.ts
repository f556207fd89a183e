// Bundles of tokens and the graphs that they form.

import type { ExpectedGraph } from '../../../src/cli/vectors.ts';
import { graph } from './collect.ts';
import { agentB, ISS, ISS_B } from './keys.ts';
import { NOW, token, uuidOf, WID } from './token.ts';

/** Names of tasks: short words stand for UUIDs. */
const id = (word: string) => uuidOf(`task ${word}`);
const OTHER_WID = uuidOf('another workflow');

/** A token for the task `word` after others. */
export function task(word: string, after: readonly string[] = [], claims: object = {}): string {
  return token({ jti: id(word), wid: WID, pred: after.map(id), exec_act: `do_${word}`, ...claims });
}

interface Shape {
  readonly size: number;
  readonly depth: number;
  readonly roots: readonly string[];
  readonly leaves: readonly string[];
}

export function expected(
  status: ExpectedGraph['status'],
  shape: Shape,
  broken: readonly (readonly string[])[] = [],
  unresolved: readonly string[] = [],
): ExpectedGraph {
  const violations = broken.map(([reason = '', ...words]) => ({ reason, tasks: words.map(id) }));
  const ids = { roots: shape.roots.map(id), leaves: shape.leaves.map(id) };
  return { status, violations, unresolved: unresolved.map(id), ...shape, ...ids };
}

// Complete.
graph(
  'complete/one-root',
  'One root task is a complete graph.',
  [task('a')],
  expected('complete', { size: 1, depth: 1, roots: ['a'], leaves: ['a'] }),
);
graph(
  'complete/chain',
  'Three tasks after each other are a graph of depth three.',
  [task('a'), task('b', ['a']), task('c', ['b'])],
  expected('complete', { size: 3, depth: 3, roots: ['a'], leaves: ['c'] }),
);
graph(
  'complete/diamond',
  'A task that fans out and in again.',
  [task('a'), task('b', ['a']), task('c', ['a']), task('d', ['b', 'c'])],
  expected('complete', { size: 4, depth: 3, roots: ['a'], leaves: ['d'] }),
);
graph(
  'complete/two-roots',
  'A graph may have several roots.',
  [task('a'), task('b'), task('c', ['a', 'b'])],
  expected('complete', { size: 3, depth: 2, roots: ['a', 'b'], leaves: ['c'] }),
);
graph(
  'complete/two-leaves',
  'A graph may have several leaves.',
  [task('a'), task('b', ['a']), task('c', ['a'])],
  expected('complete', { size: 3, depth: 2, roots: ['a'], leaves: ['b', 'c'] }),
);
graph(
  'complete/skipping-a-step',
  'A task may follow another and what came before it.',
  [task('a'), task('b', ['a']), task('c', ['a', 'b'])],
  expected('complete', { size: 3, depth: 3, roots: ['a'], leaves: ['c'] }),
);
graph(
  'complete/any-order',
  'Tokens of a bundle may stand in any order.',
  [task('c', ['b']), task('b', ['a']), task('a')],
  expected('complete', { size: 3, depth: 3, roots: ['a'], leaves: ['c'] }),
);
graph(
  'complete/same-token-twice',
  'A token that is there twice counts once.',
  [task('a'), task('b', ['a']), task('a')],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
);
graph(
  'complete/unconnected',
  'Two graphs in one bundle are two graphs.',
  [task('a'), task('b', ['a']), task('c'), task('d', ['c'])],
  expected('complete', { size: 4, depth: 2, roots: ['a', 'c'], leaves: ['b', 'd'] }),
);
graph(
  'complete/without-workflow',
  'Tasks without a workflow form graphs too.',
  [task('a', [], { wid: undefined }), task('b', ['a'], { wid: undefined })],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
);
graph(
  'complete/predecessor-without-workflow',
  'A task of a workflow may follow one without.',
  [task('a', [], { wid: undefined }), task('b', ['a'])],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
);
graph(
  'complete/successor-without-workflow',
  'A task without a workflow may follow one of a workflow.',
  [task('a'), task('b', ['a'], { wid: undefined })],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
);
graph(
  'complete/two-issuers',
  'Tasks of several issuers form one graph.',
  [task('a'), token({ iss: ISS_B, jti: id('b'), wid: WID, pred: [id('a')] }, {}, agentB)],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
  { trusting: [ISS, ISS_B] },
);
graph(
  'complete/predecessor-30-seconds-later',
  'Clocks may differ by 30 s.',
  [task('a', [], { iat: NOW - 30 }), task('b', ['a'], { iat: NOW - 60 })],
  expected('complete', { size: 2, depth: 2, roots: ['a'], leaves: ['b'] }),
);
graph(
  'complete/hundred-predecessors',
  'A task may follow a hundred others.',
  [...hundred().map((word) => task(word)), task('z', hundred())],
  expected('complete', { size: 101, depth: 2, roots: hundred(), leaves: ['z'] }),
);

// Partial.
graph(
  'partial/one-missing',
  'A predecessor that is not there leaves the graph partial, never complete.',
  [task('b', ['a'])],
  expected('partial', { size: 1, depth: 1, roots: [], leaves: ['b'] }, [], ['a']),
);
graph(
  'partial/some-missing',
  'Of several predecessors those that are not there are listed.',
  [task('a'), task('d', ['a', 'b', 'c'])],
  expected('partial', { size: 2, depth: 2, roots: ['a'], leaves: ['d'] }, [], ['b', 'c']),
);
graph(
  'partial/missing-twice',
  'A predecessor that two tasks miss is listed once.',
  [task('b', ['a']), task('c', ['a'])],
  expected('partial', { size: 2, depth: 1, roots: [], leaves: ['b', 'c'] }, [], ['a']),
);

// Invalid.
const pair = { size: 2, depth: 2, roots: ['a'], leaves: ['b'] };
graph(
  'invalid/predecessor-31-seconds-later',
  'A predecessor is not more than 30 s younger.',
  [task('a', [], { iat: NOW - 29 }), task('b', ['a'], { iat: NOW - 60 })],
  expected('invalid', pair, [['DAG_TIME_ORDER', 'b', 'a']]),
);
graph(
  'invalid/other-workflow',
  'A task does not follow one of another workflow.',
  [task('a', [], { wid: OTHER_WID }), task('b', ['a'])],
  expected('invalid', pair, [['DAG_WORKFLOW_MISMATCH', 'b', 'a']]),
);
graph(
  'invalid/two-tokens-for-one-task',
  'One task has one token: two that differ are a duplicate.',
  [task('a'), task('a', [], { exec_act: 'do_otherwise' })],
  expected('invalid', { size: 1, depth: 1, roots: ['a'], leaves: ['a'] }, [['DAG_DUPLICATE_TASK', 'a']]),
);
graph(
  'invalid/two-issuers-for-one-task',
  'Two issuers do not share the name of a task.',
  [task('a'), token({ iss: ISS_B, jti: id('a'), wid: WID, exec_act: 'do_a' }, {}, agentB)],
  expected('invalid', { size: 1, depth: 1, roots: ['a'], leaves: ['a'] }, [['DAG_DUPLICATE_TASK', 'a']]),
  { trusting: [ISS, ISS_B] },
);
graph(
  'invalid/circle-of-two',
  'Two tasks do not follow each other.',
  [task('a', ['b']), task('b', ['a'])],
  expected('invalid', { size: 2, depth: 0, roots: [], leaves: [] }, [['DAG_CYCLE', 'a', 'b']]),
);
graph(
  'invalid/circle-of-three',
  'A task is not its own ancestor, by however many steps.',
  [task('a', ['c']), task('b', ['a']), task('c', ['b'])],
  expected('invalid', { size: 3, depth: 0, roots: [], leaves: [] }, [['DAG_CYCLE', 'a', 'b', 'c']]),
);
graph(
  'invalid/circle-behind-a-root',
  'A circle is found where only a part of the graph is one.',
  [task('a'), task('b', ['a', 'd']), task('c', ['b']), task('d', ['c']), task('e', ['d'])],
  expected('invalid', { size: 5, depth: 0, roots: ['a'], leaves: ['e'] }, [['DAG_CYCLE', 'b', 'c', 'd']]),
);
graph(
  'invalid/several-faults',
  'Every broken rule is listed, not only the first, and what is missing too.',
  [task('a', [], { iat: NOW - 29 }), task('b', ['a'], { iat: NOW - 60 }), task('c', ['b', 'x'], { wid: OTHER_WID })],
  expected(
    'invalid',
    { size: 3, depth: 3, roots: ['a'], leaves: ['c'] },
    [
      ['DAG_TIME_ORDER', 'b', 'a'],
      ['DAG_WORKFLOW_MISMATCH', 'c', 'b'],
    ],
    ['x'],
  ),
);
graph(
  'invalid/token-of-a-stranger',
  'Every token of a bundle is verified before it is used.',
  [task('a'), `${task('b', ['a']).slice(0, -86)}${'A'.repeat(86)}`],
  {
    status: 'invalid',
    violations: [{ reason: 'SIGNATURE_INVALID', tasks: [] }],
    unresolved: [],
    size: 0,
    depth: 0,
    roots: [],
    leaves: [],
  },
);

function hundred(): readonly string[] {
  return Array.from({ length: 100 }, (_, at) => `p${at}`);
}
