// ect.v1.AuthorityService over the authority's procedures.

import {
  type AuthorityParts,
  append,
  type DagSubject,
  demandPermission,
  guessableId,
  type IssueOrder,
  issue,
  issueFaults,
  readerFor,
  rehearseIssue,
  validateDag,
  verify,
  verifyFaults,
} from '../authority/index.ts';
import { type DagReport, renderDot, renderMermaid } from '../dag/index.ts';
import type { Refusal } from '../errors.ts';
import { AuthorityService, GraphFormat, type IssueRequest, type VerifyRequest } from '../gen/ect/v1/authority_pb.ts';
import { DagStatus } from '../gen/ect/v1/token_pb.ts';
import { createPace } from '../pace.ts';
import { appendedBytes, graphBytes, issuedBytes, verdictBytes } from './answer-size.ts';
import { type AuthorityFacts, authorityDescriber, type DescribeAuthority } from './authority-document.ts';
import { appendItems, checkAppend, checkBatch, rehearseItem, runItems } from './batch.ts';
import { holdOrders } from './batch-orders.ts';
import type { Call, Service } from './call.ts';
import { readDagSubject } from './dag-subject.ts';
import { appendDetailBytes, DetailRoom, issueDetailBytes, verdictDetailBytes } from './detail-room.ts';
import { writeFinding } from './findings.ts';
import { writeGraphReport } from './graph-messages.ts';
import { readIssueOrder } from './issue-order.ts';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from './limits.ts';
import { writeAppended, writeAppendRehearsal, writeIssued, writeIssueRehearsal, writeVerdict } from './messages.ts';
import { demandAppend, demandVerify } from './permission.ts';
import { readRequestId } from './request-fields.ts';
import { readVerifyOrder } from './verify-order.ts';
import { ofField, refuseIf } from './violations.ts';

/** Where nothing around the procedures is said. */
const UNSAID: AuthorityFacts = {
  version: '',
  durable: false,
  delegatedKeys: false,
  provenCallers: false,
  writtenBytesPerHour: 0,
  url: () => '',
};

/** Serves the authority. Every procedure but GetAuthority is for authenticated callers. */
export function authorityService(
  parts: AuthorityParts,
  describe: DescribeAuthority = authorityDescriber(parts, UNSAID),
): Service<typeof AuthorityService> {
  const readOrder = (request: IssueRequest) => readIssueOrder(request, (order) => issueFaults(parts, order));
  const issueOne = async (
    order: IssueOrder,
    { dryRun, receiptFormat }: Pick<IssueRequest, 'dryRun' | 'receiptFormat'>,
    call: Call,
    details?: DetailRoom,
  ) =>
    dryRun
      ? answerRehearsal(order, call, details)
      : writeIssued(await issue(parts, call.caller, order, call), { receiptFormat, details });
  const answerRehearsal = async (order: IssueOrder, call: Call, details: DetailRoom | undefined) => {
    const rehearsal = await rehearseIssue(parts, call.caller, order, call);
    const [first] = rehearsal.failures;
    if (first !== undefined) call.note(first.refusal.reason);
    return writeIssueRehearsal(rehearsal, { details });
  };
  const verifyOne = async (request: VerifyRequest, call: Call, details?: DetailRoom, requestId = '') => {
    const order = readVerifyOrder(request, (legible) => verifyFaults(parts, call.caller, legible));
    demandVerify(parts, call.caller, order.audience);
    const named = order.requestId === '' ? { ...order, requestId } : order;
    const verdict = await verify(parts, call.caller, named, call);
    if (verdict.refusal !== undefined) call.note(verdict.refusal.reason);
    return writeVerdict(verdict, order.mode, details);
  };
  return {
    descriptor: AuthorityService,
    access: 'callers',
    published: ['getAuthority'],
    asksItself: ['issue', 'batchIssue', 'verify', 'batchVerify', 'validateDAG', 'appendLedger', 'batchAppendLedger'],
    weights: { validateDAG: 50 },
    maxRequestBytes: {
      '*': MAX_MESSAGE_BYTES,
      batchIssue: MAX_BATCH_BYTES,
      batchVerify: MAX_BATCH_BYTES,
      batchAppendLedger: MAX_BATCH_BYTES,
      validateDAG: MAX_BATCH_BYTES,
    },
    answerBytes: {
      batchIssue: ({ items }, call) => issuedBytes(parts, items, call),
      batchAppendLedger: ({ items }, call) => appendedBytes(parts, items, call),
      batchVerify: ({ items }, call) => verdictBytes(parts, items, call),
      validateDAG: graphBytes,
    },
    procedures: {
      getAuthority: () => describe(),
      issue: async (request, call) => issueOne(readOrder(request), request, call),
      batchIssue: async ({ items, requestId }, call) => {
        checkBatch(items, () => readRequestId(requestId));
        const details = new DetailRoom(issueDetailBytes(items));
        const orderOf = requestId === '' ? readOrder : await holdOrders(parts, requestId, items, call, readOrder);
        const results = await runItems(
          items,
          call,
          async (request, place) => issueOne(orderOf(request, place), request, call, details),
          details,
        );
        return { results };
      },
      verify: (request, call) => verifyOne(request, call),
      batchVerify: async ({ items, requestId }, call) => {
        checkBatch(
          items,
          () => readRequestId(requestId),
          () => refuseIf(guessableId(call.caller, { requestId })),
        );
        const details = new DetailRoom(verdictDetailBytes(items));
        const nameOf = (place: number) => (requestId === '' ? '' : `${requestId} ${place}`);
        const results = await runItems(
          items,
          call,
          (request, place) => verifyOne(request, call, details, nameOf(place)),
          details,
        );
        return { results };
      },
      validateDAG: async (request, call) => {
        const subject = await permittedSubject(parts, readDagSubject(request), call);
        const { graphFormat } = request;
        const labels = graphFormat !== GraphFormat.UNSPECIFIED;
        const answer = await validateDag(parts, subject, call, { labels });
        if ('refusal' in answer) {
          call.note(answer.refusal.reason);
          return writeUnreadable(answer.refusal);
        }
        const [violation] = answer.report.violations;
        if (violation !== undefined) call.note(violation.reason);
        return { ...writeGraphReport(answer.report), drawing: await draw(answer.report, graphFormat, call) };
      },
      appendLedger: async (request, call) => {
        checkAppend(request);
        const { token, dryRun, receiptFormat } = request;
        demandAppend(parts, call.caller, token);
        if (dryRun) return writeAppendRehearsal(await rehearseItem(parts, token, call), { receiptFormat });
        const appended = await ofField('token', append(parts, call.caller, token, call.signal));
        return writeAppended(appended, { receiptFormat });
      },
      batchAppendLedger: async ({ items }, call) => {
        checkBatch(items);
        const details = new DetailRoom(appendDetailBytes(items));
        return { results: await appendItems(parts, items, call, details) };
      },
    },
  };
}

/**
 * What is asked about; a workflow that the caller may not read is one that is not there. A caller that knows the name of a task can hold a
 * token that follows it: of a workflow that it may not read the report goes no further than to that task.
 */
async function permittedSubject(parts: AuthorityParts, subject: DagSubject, { caller }: Call): Promise<DagSubject> {
  const { seesAll, maySeeWorkflow } = readerFor(parts, caller, 'ValidateDAG', true);
  const past = seesAll ? {} : { maySeeWorkflow };
  if (subject.kind === 'workflow') {
    const isHidden = !(await readerFor(parts, caller, 'ValidateDAG').maySeeWorkflow(subject.wid));
    return { ...subject, ...past, isHidden };
  }
  const question = {
    action: 'ValidateDAG',
    resource: { kind: 'authority' },
    context: { owns_workflow: false },
  } as const;
  demandPermission(parts.authorizer, caller, question);
  return subject.kind === 'token' ? { ...subject, ...past } : subject;
}

async function draw(report: DagReport, format: GraphFormat, call: Call): Promise<string> {
  switch (format) {
    case GraphFormat.MERMAID:
      return renderMermaid(report, createPace(call));
    case GraphFormat.DOT:
      return renderDot(report, createPace(call));
    default:
      return '';
  }
}

/** A token that does not hold cannot be part of a graph: the graph is invalid, for the token's own reason. */
function writeUnreadable(refusal: Refusal) {
  return { dagReport: { status: DagStatus.INVALID, violations: [{ finding: writeFinding(refusal) }] } };
}
