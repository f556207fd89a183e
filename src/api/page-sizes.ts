// The maximum sizes of list pages and of responses about graphs, in bytes of protobuf. They follow from the request alone.

import { GraphFormat, type ValidateDAGRequest } from '../gen/ect/v1/authority_pb.ts';

const MIB = 1024 * 1024;
/** With the other fields of a response this stays below the 4 MiB that gRPC clients read by default. */
const MAX_PAGE_BYTES = 2 * MIB;
/** A page of few entries is never cut: the largest entry has 60 KiB. */
const LEAST_PAGE_BYTES = 256 * 1024;
/** Most entries have a quarter of this size. */
const USUAL_ENTRY_BYTES = { bare: 4_096, withContent: 8_192 };
const AROUND_PAGE_BYTES = 65_536;
/** The size at which findings about a graph are cut. */
const FINDINGS_BYTES = 1.5 * MIB + 65_536;
/** A drawing with the maximum number of tasks and links and the longest names. */
const DRAWING_BYTES = 1.75 * MIB;

/** Returns the maximum size of the entries of a page. A larger page is cut there, and the next page continues. */
export function pageRoom(pageSize: number, withContent: boolean): number {
  const usual = pageSize * (withContent ? USUAL_ENTRY_BYTES.withContent : USUAL_ENTRY_BYTES.bare);
  return Math.min(MAX_PAGE_BYTES, Math.max(LEAST_PAGE_BYTES, usual));
}

export function pageBytes(pageSize: number, withContent = false): number {
  return pageRoom(pageSize, withContent) + AROUND_PAGE_BYTES;
}

export function workflowBytes(): number {
  return FINDINGS_BYTES;
}

export function graphBytes({ graphFormat }: ValidateDAGRequest): number {
  return FINDINGS_BYTES + (graphFormat === GraphFormat.UNSPECIFIED ? 0 : DRAWING_BYTES);
}
