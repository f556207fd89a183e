// The document review: five tasks, fanned out and in again, by two agents that never see each other's keys.

import type { Authority, Receipt } from './authority.ts';
import { expect, short, tell, tellGood } from './tell.ts';

export const DRAFTER = 'urn:ect:dev:drafter';
export const REVIEWER = 'urn:ect:dev:reviewer';

/** A finished task: its token, what it produced, and the evidence that it is recorded. */
export interface Done {
  readonly jti: string;
  readonly exec_act: string;
  readonly token: string;
  readonly output: Buffer;
  readonly receipt: Receipt;
}

interface Step {
  readonly agent: string;
  readonly act: string;
  readonly after: readonly Done[];
  readonly input: string;
  readonly output: string;
}

/** Plays the whole workflow and answers its tasks in the order of the ledger. */
export async function playReview(authority: Authority, wid: string): Promise<readonly Done[]> {
  const perform = (step: Step) => performStep(authority, wid, step);
  const brief = 'Brief: explain what an Execution Context Token is, in two sentences.';
  const text = 'A token records one task: who did what, over which data, after which others. It is singed.';

  const draft = await perform({ agent: DRAFTER, act: 'draft_document', after: [], input: brief, output: text });
  // Fan-out: both reviews follow the draft and know nothing of each other.
  const [facts, style] = await Promise.all([
    perform({ agent: REVIEWER, act: 'check_facts', after: [draft], input: text, output: 'Facts: correct.' }),
    perform({ agent: REVIEWER, act: 'review_style', after: [draft], input: text, output: 'Style: "singed"?' }),
  ]);
  // Fan-in: the merge follows both reviews.
  const merged = await perform({
    agent: DRAFTER,
    act: 'merge_comments',
    after: [facts, style],
    input: [facts, style].map(({ output }) => output.toString()).join('\n'),
    output: text.replace('singed', 'signed'),
  });
  const approved = await perform({
    agent: REVIEWER,
    act: 'approve_document',
    after: [merged],
    input: merged.output.toString(),
    output: 'Approved.',
  });
  return [draft, facts, style, merged, approved];
}

/** One step: the agent has its work attested, the other agent verifies it, the ledger records it, the graph is checked. */
async function performStep(authority: Authority, wid: string, step: Step): Promise<Done> {
  const other = step.agent === DRAFTER ? REVIEWER : DRAFTER;
  const output = Buffer.from(step.output);
  const { token, claims } = await authority.issue({
    iss: step.agent,
    aud: [DRAFTER, REVIEWER],
    exec_act: step.act,
    wid,
    pred: step.after.map(({ jti }) => jti),
    input: Buffer.from(step.input),
    output,
  });
  const verdict = await authority.verify({
    token,
    audience: other,
    predecessor_tokens: step.after.map((before) => before.token),
    dag_mode: 'DAG_MODE_COMPLETE',
    verify_mode: 'VERIFY_MODE_REPORT',
    output,
  });
  expect(`${step.act} verified by ${other}`, verdict.valid || verdict.finding?.reason, true);
  const { receipt, duplicate } = await authority.append(token);
  expect(`${step.act} was recorded before`, duplicate, false);
  const graph = await authority.validateAncestors(token);
  expect(`graph behind ${step.act}`, graph.dag_report.status, 'DAG_STATUS_COMPLETE');

  const passed = verdict.checks.filter(({ status }) => status === 'CHECK_STATUS_PASS').length;
  const after = step.after.map((before) => before.exec_act).join(' and ');
  tellGood(`${step.act} ${short(claims.jti)} by ${step.agent}${after === '' ? '' : `, after ${after}`}`);
  tell(`    out_hash ${claims.out_hash}`);
  tell(
    `    ${other} verified it (${passed} checks); index ${receipt.inclusion.leaf_index}; graph of ${graph.size} complete`,
  );
  return { jti: claims.jti, exec_act: step.act, token, output, receipt };
}
