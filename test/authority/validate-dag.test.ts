import { describe, expect, test } from 'vitest';
import { validateDag } from '../../src/authority/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { JTI, makeToken, OTHER_JTI, WID } from '../support/tokens.ts';
import { endless, issueFor, reasonOf, recordTask } from './support.ts';

describe('ValidateDAG', () => {
  test('a recorded workflow is complete, with its roots and leaves', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context, { wid: WID });
    const leaf = await recordTask(context, { wid: WID, pred: [root] });
    const answer = await validateDag(context, { kind: 'workflow', wid: WID }, endless);
    expect(answer).toMatchObject({
      report: { status: 'complete', size: 2, depth: 2, roots: [{ jti: root }], leaves: [{ jti: leaf }] },
    });
  });

  test('an unknown workflow is not found', async () => {
    const { context } = await makeAuthority();
    expect(await reasonOf(validateDag(context, { kind: 'workflow', wid: WID }, endless))).toBe('WORKFLOW_NOT_FOUND');
  });

  test('a token is judged with its ancestors; it need not be recorded', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context);
    const { token } = await issueFor(context, { pred: [root] });
    const answer = await validateDag(context, { kind: 'token', token, predecessors: [] }, endless);
    expect(answer).toMatchObject({ report: { status: 'complete', size: 2, roots: [{ jti: root }] } });
  });

  test('R9: a bundle whose tasks follow each other in a circle is invalid', async () => {
    const { context } = await makeAuthority();
    const one = await issueFor(context, { jti: JTI, pred: [OTHER_JTI] });
    const two = await issueFor(context, { jti: OTHER_JTI, pred: [JTI] });
    const answer = await validateDag(context, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_CYCLE' }] } });
  });

  test('R9: a bundle with two tokens for one task is invalid, and one with a copy is not', async () => {
    const { context } = await makeAuthority();
    const [one, two] = [await issueFor(context, { jti: JTI }), await issueFor(context, { jti: JTI, ttlSeconds: 60 })];
    const clash = await validateDag(context, { kind: 'bundle', tokens: [one.token, two.token] }, endless);
    expect(clash).toMatchObject({ report: { status: 'invalid', violations: [{ reason: 'DAG_DUPLICATE_TASK' }] } });
    const copies = await validateDag(context, { kind: 'bundle', tokens: [one.token, one.token] }, endless);
    expect(copies).toMatchObject({ report: { status: 'complete', size: 1 } });
  });

  test('a bundle looks nowhere else', async () => {
    const { context } = await makeAuthority();
    const root = await recordTask(context);
    const { token } = await issueFor(context, { pred: [root] });
    const answer = await validateDag(context, { kind: 'bundle', tokens: [token] }, endless);
    expect(answer).toMatchObject({ report: { status: 'partial', unresolved: [{ jti: root }] } });
  });

  test('a token that does not hold makes the graph invalid for its own reason', async () => {
    const { context } = await makeAuthority();
    const answers = await Promise.all([
      validateDag(context, { kind: 'token', token: makeToken(), predecessors: [] }, endless),
      validateDag(context, { kind: 'bundle', tokens: [makeToken()] }, endless),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ rejection: { reason: 'KEY_UNKNOWN' } });
  });
});
