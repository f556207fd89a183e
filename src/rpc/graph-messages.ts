// Between messages and the domain: what is said about a graph, within a size that every client can read.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DagReport as Report, Taint } from '../dag/index.ts';
import {
  type DagReportSchema,
  DagStatus,
  type DagViolationSchema,
  Level,
  type TaintSchema,
  TaintSource,
} from '../gen/ect/v1/token_pb.ts';
import { type DetailRoom, MAX_REPORT_BYTES } from './detail-room.ts';

const STATUSES = {
  complete: DagStatus.COMPLETE,
  partial: DagStatus.PARTIAL,
  invalid: DagStatus.INVALID,
} as const;

const SOURCES = {
  task: TaintSource.TASK,
  key: TaintSource.KEY,
  ancestor: TaintSource.ANCESTOR,
} as const;

/** What they take where the graph is all that was asked for: gRPC clients read 4 MiB, and there is more in an answer. */
const MAX_GRAPH_BYTES = 1536 * 1024;

/** The report inside a verdict; in a batch its lists are written into the room that all of its verdicts share. */
export function writeReport(report: Report, details?: DetailRoom): MessageInitShape<typeof DagReportSchema> {
  const bytes = Math.min(MAX_REPORT_BYTES, details?.left ?? MAX_REPORT_BYTES);
  const room = new Room(bytes);
  const { visited, taintsUnknown } = report;
  const findings = writeFindings(report, room);
  details?.take(bytes - room.left);
  return { ...findings, visited, taintsUnknown, omitted: room.omitted };
}

/** The same where the graph is all that was asked for: as much as one answer holds. */
export function writeGraphFindings(report: Report) {
  const room = new Room(MAX_GRAPH_BYTES);
  return { ...writeFindings(report, room), omitted: room.omitted };
}

/** And with the shape of the graph. */
export function writeGraphReport(report: Report) {
  const room = new Room(MAX_GRAPH_BYTES);
  return {
    ...writeFindings(report, room),
    size: report.size,
    depth: report.depth,
    roots: room.take(report.roots, sizeOfText),
    leaves: room.take(report.leaves, sizeOfText),
    omitted: room.omitted,
  };
}

function writeFindings(report: Report, room: Room) {
  const { pathLevel } = report;
  return {
    status: STATUSES[report.status],
    violations: writeViolations(report, room),
    unresolved: room.take(report.unresolved, sizeOfText),
    ...(pathLevel === undefined ? {} : { pathLevel: Level[pathLevel] }),
    tainted: room.take(report.tainted, sizeOfTaint).map(writeTaint),
  };
}

/** A rule may be broken by 10,000 tasks at once: those of one violation are cut where the room ends, too. */
function writeViolations({ violations }: Report, room: Room): MessageInitShape<typeof DagViolationSchema>[] {
  const rows = room.take(violations, ({ reason, message }) => sizeOfText(reason) + sizeOfText(message));
  return rows.map(({ reason, message, tasks }) => ({ reason, message, tasks: room.take(tasks, sizeOfText) }));
}

function writeTaint({ jti, wid, source, ancestor, kid, entry }: Taint): MessageInitShape<typeof TaintSchema> {
  return { jti, wid, source: SOURCES[source], ancestor, kid, entryIndex: BigInt(entry) };
}

/** Tag and length of one field in front of its bytes. */
const FIELD_OVERHEAD = 4;

function sizeOfText(text: string): number {
  return FIELD_OVERHEAD + Buffer.byteLength(text);
}

function sizeOfTaint({ jti, wid, ancestor, kid }: Taint): number {
  return 3 * FIELD_OVERHEAD + sizeOfText(jti) + sizeOfText(wid) + sizeOfText(ancestor) + sizeOfText(kid);
}

/** Room for the rows of an answer. What comes first goes in first; what does not go in is counted. */
class Room {
  #left: number;
  omitted = 0;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** The first of `rows`, as many as go in. */
  take<T>(rows: readonly T[], sizeOf: (row: T) => number): T[] {
    let taken = 0;
    while (taken < rows.length && sizeOf(rows[taken]!) <= this.#left) this.#left -= sizeOf(rows[taken++]!);
    this.omitted += rows.length - taken;
    return rows.slice(0, taken);
  }
}
