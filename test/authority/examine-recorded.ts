// The graph of a recorded workflow, as GetWorkflow has it.

import { type AuthorityContext, readWorkflow } from '../../src/authority/index.ts';

type Ending = Parameters<typeof readWorkflow>[2];

/** WORKFLOW_NOT_FOUND where there is none. */
export async function examineRecorded(context: AuthorityContext, wid: string, deadline: Ending, labels = false) {
  return (await readWorkflow(context, { wid }, deadline, labels)).report;
}
