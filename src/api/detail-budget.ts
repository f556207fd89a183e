// What the results of one batch say in detail: findings about graphs, findings of steps that failed, the two tokens of an
// equivocation, and every fault of a request. One result may have 64 KiB of these, and most have next to none, so a batch has one
// room for all of them, which is part of the size of its response.

import {
  type BatchAppendLedgerItem,
  type BatchIssueItem,
  type BatchVerifyItem,
  DagMode,
  VerifyMode,
  type VerifyRequest,
} from '../gen/ect/v1/authority_pb.ts';

/** The findings of one result, at most. */
export const MAX_REPORT_BYTES = 32 * 1024;
/** Two signing inputs. */
const EQUIVOCATION_BYTES = 33 * 1024;
/** What all results of a batch have together. */
const SHARED_BYTES = 256 * 1024;
/** Of these the errors of items have so much together, and one of them so much at most. */
const FAULTS_BYTES = 32 * 1024;
const MAX_FAULT_BYTES = 2 * 1024;
/** And for each graph that is looked at: the sentence of a rule that is broken, and the tasks that are usual. */
const GRAPH_BYTES = 1_024;
/** And for each list of checks: what is usual where a step fails. */
const FAILED_BYTES = 256;
/** What many steps of one list that fail may have of the shared room. */
const MAX_FAILED_BYTES = 4 * 1024;
/** An unresolved predecessor, beside its name. */
const UNRESOLVED_BYTES = 16;

/** The room of one batch. What comes first goes in first. */
export class DetailBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Returns whether so many bytes went in. */
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

/** The room for so many lists of checks, and for what else there may be. */
function roomFor(lists: number, others: number): number {
  return lists * FAILED_BYTES + Math.min(SHARED_BYTES, lists * MAX_FAILED_BYTES + others);
}

/**
 * What the errors of so many items may have beside what each of them has in any case.
 * @internal Exported because tests compute with it.
 */
export function faultBytes(items: number): number {
  return Math.min(FAULTS_BYTES, items * MAX_FAULT_BYTES);
}

/** Longer lists of predecessors, and longer ids, are rejected. */
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
