// ect.v1.AuthorityService: converts messages and calls the procedures of the authority.

import {
  type AuthorityContext,
  append,
  type DagSubject,
  demandPermission,
  dryRunIssue,
  guessableId,
  type IssueInput,
  issue,
  issueFaults,
  readerFor,
  validateDag,
  verify,
  verifyFaults,
} from '../authority/index.ts';
import type { Call, Service } from '../calls/call.ts';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from '../calls/message-limits.ts';
import { demandAppend, demandVerify } from '../calls/permission.ts';
import { createYielder } from '../concurrency/yielder.ts';
import { type DagReport, renderDot, renderMermaid } from '../dag/index.ts';
import type { Rejection } from '../errors.ts';
import { AuthorityService, GraphFormat, type IssueRequest, type VerifyRequest } from '../gen/ect/v1/authority_pb.ts';
import { DagStatus } from '../gen/ect/v1/token_pb.ts';
import { type AuthorityFacts, authorityDescriber, type DescribeAuthority } from './authority-document.ts';
import { appendItems, checkAppend, checkBatch, dryRunItem, runItems } from './batch.ts';
import { lockBatchRequest } from './batch-requests.ts';
import { readDagSubject } from './dag-subject.ts';
import { appendDetailBytes, DetailBudget, issueDetailBytes, verdictDetailBytes } from './detail-budget.ts';
import { writeFinding } from './findings.ts';
import { writeGraphReport } from './graph-messages.ts';
import { readIssueInput } from './issue-request.ts';
import { graphBytes } from './page-sizes.ts';
import { provenanceFor } from './provenance-messages.ts';
import { readRequestId } from './request-fields.ts';
import { appendedBytes, issuedBytes, verdictBytes } from './response-size.ts';
import { writeAppendDryRun, writeAppended, writeIssueDryRun, writeIssued, writeVerdict } from './responses.ts';
import { readVerifyInput } from './verify-request.ts';
import { checkFaults, ofField, rejectIf } from './violations.ts';

/** The facts of an authority without configuration, as in tests. */
const UNSAID: AuthorityFacts = {
  version: '',
  durable: false,
  delegatedKeys: false,
  provenCallers: false,
  writtenBytesPerHour: 0,
  url: () => '',
};

/** Returns the service. Every method except GetAuthority requires an authenticated caller. */
export function authorityService(
  context: AuthorityContext,
  describe: DescribeAuthority = authorityDescriber(context, UNSAID),
): Service<typeof AuthorityService> {
  const readInput = (request: IssueRequest) => readIssueInput(request, (input) => issueFaults(context, input));
  const checkIssue = (request: IssueRequest) => checkFaults(issueFaults(context, readInput(request)));
  const issueOne = (
    input: IssueInput,
    { dryRun, receiptFormat }: Pick<IssueRequest, 'dryRun' | 'receiptFormat'>,
    call: Call,
    details?: DetailBudget,
  ) =>
    dryRun
      ? answerDryRun(input, call, details)
      : issue(context, call.caller, input, call).then((issued) => writeIssued(issued, { receiptFormat, details }));
  const answerDryRun = async (input: IssueInput, call: Call, details: DetailBudget | undefined) => {
    const result = await dryRunIssue(context, call.caller, input, call);
    const [first] = result.failures;
    if (first !== undefined) call.note(first.rejection.reason);
    return writeIssueDryRun(result, { details });
  };
  const readVerify = (request: VerifyRequest, { caller }: Call) =>
    readVerifyInput(request, (legible) => verifyFaults(context, caller, legible));
  const verifyOne = async (request: VerifyRequest, call: Call, details?: DetailBudget, requestId = '') => {
    const input = readVerify(request, call);
    demandVerify(context, call.caller, input.audience);
    const named = input.requestId === '' ? { ...input, requestId } : input;
    const verdict = await verify(context, call.caller, named, call);
    if (verdict.rejection !== undefined) call.note(verdict.rejection.reason);
    return writeVerdict(verdict, input.mode, details);
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
      batchIssue: ({ items }, call) => issuedBytes(context, items, call),
      batchAppendLedger: ({ items }, call) => appendedBytes(context, items, call),
      batchVerify: ({ items }, call) => verdictBytes(context, items, call),
      validateDAG: graphBytes,
    },
    procedures: {
      getAuthority: () => describe(),
      issue: (request, call) => issueOne(readInput(request), request, call),
      batchIssue: async ({ items, requestId }, call) => {
        checkBatch(items, checkIssue, () => readRequestId(requestId));
        const details = new DetailBudget(issueDetailBytes(items));
        const orderOf =
          requestId === '' ? readInput : await lockBatchRequest(context, requestId, items, call, readInput);
        const results = await runItems(
          items,
          call,
          (request, place) => issueOne(orderOf(request, place), request, call, details),
          details,
        );
        return { results };
      },
      verify: (request, call) => verifyOne(request, call),
      batchVerify: async ({ items, requestId }, call) => {
        checkBatch(
          items,
          (request) => checkFaults(verifyFaults(context, call.caller, readVerify(request, call))),
          () => readRequestId(requestId),
          () => rejectIf(guessableId(call.caller, { requestId })),
        );
        const details = new DetailBudget(verdictDetailBytes(items));
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
        const subject = await permittedSubject(context, readDagSubject(request), call);
        const { graphFormat } = request;
        const labels = graphFormat !== GraphFormat.UNSPECIFIED;
        const answer = await validateDag(context, subject, call, { labels });
        if ('rejection' in answer) {
          call.note(answer.rejection.reason);
          return writeUnreadable(answer.rejection);
        }
        const [violation] = answer.report.violations;
        if (violation !== undefined) call.note(violation.reason);
        return { ...writeGraphReport(answer.report), drawing: await draw(answer.report, graphFormat, call) };
      },
      appendLedger: async (request, call) => {
        checkAppend(request);
        const { token, dryRun, receiptFormat } = request;
        const policy = demandAppend(context, call.caller, token);
        const manner = { receiptFormat, provenanceOf: provenanceFor(context, call.caller) };
        if (dryRun) return writeAppendDryRun(await dryRunItem(context, token, call), manner);
        const appended = await ofField('token', append(context, call.caller, token, call.signal, policy));
        return writeAppended(appended, manner);
      },
      batchAppendLedger: async ({ items }, call) => {
        checkBatch(items, checkAppend);
        const details = new DetailBudget(appendDetailBytes(items));
        return { results: await appendItems(context, items, call, details) };
      },
    },
  };
}

/**
 * Restricts the subject to what the caller may read. A workflow that the caller may not read is treated as absent. A caller that knows
 * the name of a task may hold a token that follows it: if the task belongs to a workflow that the caller may not read, the report ends at
 * that task.
 */
async function permittedSubject(context: AuthorityContext, subject: DagSubject, { caller }: Call): Promise<DagSubject> {
  const { seesAll, maySeeWorkflow } = readerFor(context, caller, 'ValidateDAG', true);
  const past = seesAll ? {} : { maySeeWorkflow };
  if (subject.kind === 'workflow') {
    const isHidden = !(await readerFor(context, caller, 'ValidateDAG').maySeeWorkflow(subject.wid));
    return { ...subject, ...past, isHidden };
  }
  const question = {
    action: 'ValidateDAG',
    resource: { kind: 'authority' },
    context: { owns_workflow: false },
  } as const;
  demandPermission(context.authorizer, caller, question);
  return subject.kind === 'token' ? { ...subject, ...past } : subject;
}

async function draw(report: DagReport, format: GraphFormat, call: Call): Promise<string> {
  switch (format) {
    case GraphFormat.MERMAID:
      return renderMermaid(report, createYielder(call));
    case GraphFormat.DOT:
      return renderDot(report, createYielder(call));
    default:
      return '';
  }
}

/** An invalid token cannot be part of a graph, so the graph is invalid for the same reason as the token. */
function writeUnreadable(rejection: Rejection) {
  return { dagReport: { status: DagStatus.INVALID, violations: [{ finding: writeFinding(rejection) }] } };
}
