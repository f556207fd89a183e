// How large the pages of lists, and responses about graphs, can become: bytes of protobuf, from the request alone.

import { GraphFormat, type ValidateDAGRequest } from '../gen/ect/v1/authority_pb.ts';

const MIB = 1024 * 1024;
/** Together with what else is in a response this stays below the 4 MiB that gRPC clients read. */
const MAX_PAGE_BYTES = 2 * MIB;
/** A page of few entries is never cut: the largest has 60 KiB. */
const LEAST_PAGE_BYTES = 256 * 1024;
/** Most entries have a quarter of this. */
const USUAL_ENTRY_BYTES = { bare: 4_096, withContent: 8_192 };
const AROUND_PAGE_BYTES = 65_536;
/** The findings about a graph are cut at these. */
const FINDINGS_BYTES = 1.5 * MIB + 65_536;
/** A drawing of the most tasks and links, with the longest names. */
const DRAWING_BYTES = 1.75 * MIB;

/** What the entries of a page have together, at most: a page is cut there, and the next one goes on. */
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
