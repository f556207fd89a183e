// The limits of the graph rules, and the settings of the operator.

/** The maximum number of ancestors in a walk; a graph with more is rejected. Ancestors of settled tasks are not walked. */
export const MAX_ANCESTORS = 10_000;
/** A bundle with more tasks is rejected. */
export const MAX_BUNDLE_TASKS = 10_000;
/** A recorded workflow with more tasks is not examined as a whole, because its tasks must be in memory together. */
export const MAX_WORKFLOW_TASKS = 100_000;
/** How much later than its successor a predecessor may have been issued, because clocks differ. */
const CLOCK_SKEW_SECONDS = 30;

/** What the rules take from the configuration. */
export interface DagPolicy {
  readonly maxAncestors: number;
  readonly clockSkewSeconds: number;
  /** Whether a task of one workflow may follow a task of another. */
  readonly linksAcrossWorkflows: boolean;
  /** Whether a task that was not approved may only be followed by a compensation or a human review. */
  readonly predecessorPolicy: boolean;
}

export const DEFAULT_DAG_POLICY: DagPolicy = {
  maxAncestors: MAX_ANCESTORS,
  clockSkewSeconds: CLOCK_SKEW_SECONDS,
  linksAcrossWorkflows: false,
  predecessorPolicy: true,
};
