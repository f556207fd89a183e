// Limits the details in the results of one batch: findings about graphs and of failed steps, the two tokens of an equivocation, and the
// faults of requests. One result may have 64 KiB of details, but most have nearly none. So a batch has one budget for all its results,
// and the size of its response includes that budget.

import {
  type BatchAppendLedgerItem,
  type BatchIssueItem,
  type BatchVerifyItem,
  DagMode,
  VerifyMode,
  type VerifyRequest,
} from '../gen/ect/v1/authority_pb.ts';

/** The maximum size of the findings of one result. */
export const MAX_REPORT_BYTES = 32 * 1024;
/** The size of two signing inputs. */
const EQUIVOCATION_BYTES = 33 * 1024;
/** The maximum of the part of the budget that all results share. */
const SHARED_BYTES = 256 * 1024;
/** The budget for the errors of items: MAX_FAULT_BYTES for each item, at most FAULTS_BYTES. */
const FAULTS_BYTES = 32 * 1024;
const MAX_FAULT_BYTES = 2 * 1024;
/** The budget grows by this for each graph: the message of one violation and a usual number of tasks. */
const GRAPH_BYTES = 1_024;
/** The budget grows by this for each list of checks: the usual findings of a failed step. */
const FAILED_BYTES = 256;
/** The shared part grows by this for each list of checks, which may have many failed steps. */
const MAX_FAILED_BYTES = 4 * 1024;
/** The size of an unresolved predecessor without its name. */
const UNRESOLVED_BYTES = 16;

/** The budget of one batch. Results take from it in the order in which they are written. */
export class DetailBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Takes this many bytes from the budget. Returns false, and takes nothing, if it has less. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

export function issueDetailBytes(items: readonly BatchIssueItem[]): number {
  let [reports, dryRuns, names] = [0, 0, 0];
  for (const { request } of items) {
    if (request === undefined) continue;
    const { pred, wid, dryRun } = request;
    if (dryRun) dryRuns++;
    if (pred.length === 0 || pred.length > MAX_LISTED) continue;
    reports++;
    for (const id of pred) names += UNRESOLVED_BYTES + Math.min(id.length, MAX_ID) + Math.min(wid.length, MAX_ID);
  }
  return names + roomFor(dryRuns, reports * MAX_REPORT_BYTES) + faultBytes(items.length);
}

export function appendDetailBytes(items: readonly BatchAppendLedgerItem[]): number {
  const dryRuns = items.reduce((count, { request }) => count + (request?.dryRun ? 1 : 0), 0);
  return roomFor(dryRuns, 0) + faultBytes(items.length);
}

/** Returns the budget for this many lists of checks and for the other details. */
function roomFor(lists: number, others: number): number {
  return lists * FAILED_BYTES + Math.min(SHARED_BYTES, lists * MAX_FAILED_BYTES + others);
}

/**
 * Returns how many bytes the errors of this many items may have together, in addition to the minimum of each.
 *
 * @internal Exported because tests use it.
 */
export function faultBytes(items: number): number {
  return Math.min(FAULTS_BYTES, items * MAX_FAULT_BYTES);
}

/** The maximum length of a list of predecessors and of an id. Longer ones are rejected. */
const [MAX_LISTED, MAX_ID] = [100, 256];

export function verdictDetailBytes(items: readonly BatchVerifyItem[]): number {
  let [graphs, lists] = [0, 0];
  for (const { request } of items) {
    if (looksAtGraph(request)) graphs++;
    if (request?.verifyMode === VerifyMode.REPORT) lists++;
  }
  const most = items.length * EQUIVOCATION_BYTES + graphs * MAX_REPORT_BYTES;
  return graphs * GRAPH_BYTES + roomFor(lists, most) + faultBytes(items.length);
}

function looksAtGraph(request: VerifyRequest | undefined): boolean {
  if (request === undefined || request.dagMode === DagMode.NONE) return false;
  return request.dagMode !== DagMode.UNSPECIFIED || request.predecessorTokens.length > 0;
}
