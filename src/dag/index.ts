export { type Ancestry, bundleAncestry, combine } from './ancestry.ts';
export { type Examination, examineNewTask, examineTask, examineWorkflow } from './examine.ts';
export { type DagPolicy, DEFAULT_DAG_POLICY, MAX_ANCESTORS, MAX_WORKFLOW_TASKS } from './limits.ts';
export { renderDot, renderMermaid } from './render.ts';
export { type DagReason, type DagReport, type DagViolation, refusalOf } from './report.ts';
export { keyMark, type Marks, type Taint, taskMark } from './taint.ts';
export { distanceTo, type Task, type TaskLevel } from './task.ts';
