// What a caller may read is decided for each of many names. A decision of a large policy takes milliseconds, so other calls run in between.

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Authorizer } from '../../src/authority/index.ts';
import { validateDag } from '../../src/authority/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { authorizerFor, policyText } from '../support/policy.ts';
import { endless, issueFor } from './support.ts';

/** Longer than a slice. */
const DECISION_MS = 3;
/** A turn may end an earlier slice, and begin one. */
const MOST_IN_A_TURN = 2;
const A = workload('spiffe://prod.example/a');

/** Takes so long for each decision, and counts those of one turn of the event loop. */
function slow(authorizer: Authorizer) {
  const seen = { decisions: 0, mostInATurn: 0 };
  let inThisTurn = 0;
  const counting: Authorizer = {
    authorize: (caller, question) => {
      if (inThisTurn++ === 0) setImmediate(() => (inThisTurn = 0));
      seen.decisions++;
      seen.mostInATurn = Math.max(seen.mostInATurn, inThisTurn);
      const end = performance.now() + DECISION_MS;
      while (performance.now() < end);
      return authorizer.authorize(caller, question);
    },
    asksFor: (name) => authorizer.asksFor(name),
    obligationsOf: (caller) => authorizer.obligationsOf(caller),
    isBuiltIn: false,
    digest: authorizer.digest,
    rejected: (...about) => authorizer.rejected(...about),
  };
  return { seen, counting };
}

async function make(workflows: number) {
  const { context: base } = await makeAuthority();
  const tasks: string[] = [];
  for (let nth = 0; nth < workflows; nth++) {
    const { claims } = await issueFor(base, { wid: randomUUID(), level: 'L3' }, A);
    tasks.push(claims.jti);
  }
  const { seen, counting } = slow(authorizerFor(policyText('default.cedar')));
  return { tasks, seen, context: { ...base, authorizer: counting } };
}

test('decisions about predecessors in other workflows are made in slices', async () => {
  const { tasks, seen, context } = await make(30);
  await issueFor(context, { pred: tasks, level: 'L2' }, A);
  expect(seen.decisions).toBeGreaterThan(30);
  expect(seen.mostInATurn).toBeLessThanOrEqual(MOST_IN_A_TURN);
});

test('decisions about the workflows of ancestors are made in slices', async () => {
  const { tasks, seen, context } = await make(16);
  const { token } = await issueFor(context, { pred: tasks, level: 'L2' }, A);
  Object.assign(seen, { decisions: 0, mostInATurn: 0 });
  const maySeeWorkflow = async (wid: string) =>
    context.authorizer.authorize(A, {
      action: 'ValidateDAG',
      resource: { kind: 'workflow', wid },
      context: { owns_workflow: true },
    }).allowed;
  await validateDag(context, { kind: 'token', token, predecessors: [], maySeeWorkflow }, endless);
  expect(seen.decisions).toBeGreaterThan(16);
  expect(seen.mostInATurn).toBeLessThanOrEqual(MOST_IN_A_TURN);
});
