export { type Ancestry, bundleAncestry, combine } from './ancestry.ts';
export { type Examination, examineLinks, examineTask, examineWorkflow } from './examine.ts';
export { type LedgerFacts, ROOT_FACTS } from './ledger-facts.ts';
export {
  type DagPolicy,
  DEFAULT_DAG_POLICY,
  MAX_ANCESTORS,
  MAX_WORKFLOW_TASKS,
} from './limits.ts';
export { keyMark, type Mark, type MarkSet, type Marks, taskMark } from './marks.ts';
export { renderDot, renderMermaid } from './render.ts';
export {
  type DagReason,
  type DagReport,
  type DagViolation,
  namesOf,
  rejectionOf,
  violationMetadata,
} from './report.ts';
export type { Taint } from './taint.ts';
export { TaintCache } from './taint-cache.ts';
export type { Task, TaskLevel, TaskName } from './task.ts';
export { indexTasks } from './task-index.ts';
