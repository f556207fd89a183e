// Converts reports about graphs into messages, of a size that every client can read.

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type DagViolation as BrokenRule,
  type DagReport as Report,
  type Taint,
  type TaskName,
  violationMetadata,
} from '../dag/index.ts';
import type { Rejection } from '../errors.ts';
import type { ValidateDAGResponseSchema } from '../gen/ect/v1/authority_pb.ts';
import {
  type DagReportSchema,
  DagStatus,
  type DagViolationSchema,
  Level,
  type TaintSchema,
  TaintSource,
} from '../gen/ect/v1/token_pb.ts';
import { type DetailBudget, MAX_REPORT_BYTES } from './detail-budget.ts';
import { FIELD_OVERHEAD, findingBytes, writeFinding } from './findings.ts';

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

/** The maximum size of the report in a ValidateDAG response. gRPC clients read 4 MiB by default, and the response has more fields. */
const MAX_GRAPH_BYTES = 1536 * 1024;

/** Converts the report of a verdict. In a batch its lists use the shared budget of details. */
export function writeReport(report: Report, details?: DetailBudget): MessageInitShape<typeof DagReportSchema> {
  const bytes = Math.min(MAX_REPORT_BYTES, details?.left ?? MAX_REPORT_BYTES);
  const room = new Room(bytes);
  const { visited, taintsUnknown } = report;
  const findings = writeFindings(report, room);
  details?.take(bytes - room.left);
  return { ...findings, visited, taintsUnknown, omitted: room.omitted };
}

/** Converts a report that is the only content of a response, with as many rows as fit. */
export function writeWholeReport(report: Report): MessageInitShape<typeof DagReportSchema> {
  const room = new Room(MAX_GRAPH_BYTES);
  const { visited, taintsUnknown } = report;
  return { ...writeFindings(report, room), visited, taintsUnknown, omitted: room.omitted };
}

/** Converts a report together with the shape of the graph. */
export function writeGraphReport(report: Report): MessageInitShape<typeof ValidateDAGResponseSchema> {
  const room = new Room(MAX_GRAPH_BYTES);
  const { size, depth, visited, taintsUnknown } = report;
  const findings = writeFindings(report, room);
  const roots = room.take(report.roots, sizeOfName);
  const leaves = room.take(report.leaves, sizeOfName);
  return { dagReport: { ...findings, visited, taintsUnknown, omitted: room.omitted }, size, depth, roots, leaves };
}

function writeFindings(report: Report, room: Room) {
  const { pathLevel } = report;
  return {
    status: STATUSES[report.status],
    violations: writeViolations(report, room),
    unresolved: room.take(report.unresolved, sizeOfName),
    ...(pathLevel === undefined ? {} : { pathLevel: Level[pathLevel] }),
    tainted: room.take(report.tainted, sizeOfTaint).map(writeTaint),
  };
}

/** A rule may be violated by 10,000 tasks at once, so the tasks of one violation are cut too. */
function writeViolations({ violations }: Report, room: Room): MessageInitShape<typeof DagViolationSchema>[] {
  const rows = room.take(violations, (broken) => FIELD_OVERHEAD + findingBytes(rejectionOf(broken)));
  return rows.map((broken) => ({
    finding: writeFinding(rejectionOf(broken)),
    tasks: room.take(broken.tasks, sizeOfName),
  }));
}

function rejectionOf(broken: BrokenRule): Rejection {
  return { reason: broken.reason, message: broken.message, metadata: violationMetadata(broken) };
}

function writeTaint({ task, source, ancestor, kid, entry }: Taint): MessageInitShape<typeof TaintSchema> {
  return {
    task,
    source: SOURCES[source],
    ...(ancestor === undefined ? {} : { ancestor }),
    kid,
    entryIndex: BigInt(entry),
  };
}

function sizeOfText(text: string): number {
  return FIELD_OVERHEAD + Buffer.byteLength(text);
}

function sizeOfName({ wid, jti }: TaskName): number {
  return FIELD_OVERHEAD + sizeOfText(wid) + sizeOfText(jti);
}

function sizeOfTaint({ task, ancestor, kid }: Taint): number {
  const names = sizeOfName(task) + (ancestor === undefined ? 0 : sizeOfName(ancestor));
  return 3 * FIELD_OVERHEAD + names + sizeOfText(kid);
}

/** The space for the rows of a response. Rows are added in order; those that do not fit are counted. */
class Room {
  #left: number;
  omitted = 0;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Returns the first of `rows`, as many as fit. */
  take<T>(rows: readonly T[], sizeOf: (row: T) => number): T[] {
    let taken = 0;
    for (; taken < rows.length; taken++) {
      const bytes = sizeOf(rows[taken]!);
      if (bytes > this.#left) break;
      this.#left -= bytes;
    }
    this.omitted += rows.length - taken;
    return rows.slice(0, taken);
  }
}
