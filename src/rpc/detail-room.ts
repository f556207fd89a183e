// What the results of one batch say in detail: findings about graphs, and the two tokens of an equivocation. One result may have
// 64 KiB of these, and most have next to none, so a batch has one room for all of them, which is part of the size of its answer.

import { type BatchIssueItem, type BatchVerifyItem, DagMode, type VerifyRequest } from '../gen/ect/v1/authority_pb.ts';

/** The findings of one result, at most. */
export const MAX_REPORT_BYTES = 32 * 1024;
/** Two signing inputs. */
const EQUIVOCATION_BYTES = 33 * 1024;
/** What all results of a batch have together. */
const SHARED_BYTES = 256 * 1024;
/** And for each graph that is looked at: the sentence of a rule that is broken, and the tasks that are usual. */
const GRAPH_BYTES = 1_024;
/** An unresolved predecessor, beside its id. */
const UNRESOLVED_BYTES = 12;

/** The room of one batch. What comes first goes in first. */
export class DetailRoom {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Answers whether so many bytes went in. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

export function issueDetailBytes(items: readonly BatchIssueItem[]): number {
  let [reports, ids] = [0, 0];
  for (const { request } of items) {
    const { pred = [] } = request ?? {};
    if (pred.length === 0 || pred.length > MAX_LISTED) continue;
    reports++;
    for (const id of pred) ids += UNRESOLVED_BYTES + Math.min(id.length, MAX_ID);
  }
  return ids + Math.min(SHARED_BYTES, reports * MAX_REPORT_BYTES);
}

/** Longer lists of predecessors, and longer ids, are refused. */
const [MAX_LISTED, MAX_ID] = [100, 256];

export function verdictDetailBytes(items: readonly BatchVerifyItem[]): number {
  const graphs = items.reduce((count, { request }) => count + (looksAtGraph(request) ? 1 : 0), 0);
  const most = items.length * EQUIVOCATION_BYTES + graphs * MAX_REPORT_BYTES;
  return graphs * GRAPH_BYTES + Math.min(SHARED_BYTES, most);
}

function looksAtGraph(request: VerifyRequest | undefined): boolean {
  if (request === undefined || request.dag === DagMode.NONE) return false;
  return request.dag !== DagMode.UNSPECIFIED || request.predecessors.length > 0;
}
