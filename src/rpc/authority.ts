// ect.v1.AuthorityService over the authority's procedures.

import {
  type AuthorityParts,
  append,
  beginIssue,
  beginVerify,
  type Issued,
  type IssueOrder,
  issue,
  refuseGuessableId,
  rehearseAppend,
  rehearseIssue,
  validateDag,
} from '../authority/index.ts';
import { type DagReport, renderDot, renderMermaid } from '../dag/index.ts';
import type { Refusal } from '../errors.ts';
import { AuthorityService, GraphFormat, type IssueRequest, type VerifyRequest } from '../gen/ect/v1/authority_pb.ts';
import { DagStatus } from '../gen/ect/v1/token_pb.ts';
import { andThen } from '../keys/index.ts';
import { createPace } from '../pace.ts';
import { appendedBytes, graphBytes, issuedBytes, verdictBytes } from './answer-size.ts';
import { type AuthorityFacts, authorityDescriber, type DescribeAuthority } from './authority-document.ts';
import { appendItems, checkItems, runItems } from './batch.ts';
import { holdOrders } from './batch-orders.ts';
import type { Call, Service } from './call.ts';
import { DetailRoom, issueDetailBytes, verdictDetailBytes } from './detail-room.ts';
import { writeGraphReport } from './graph-messages.ts';
import { invalid } from './invalid.ts';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from './limits.ts';
import { writeAppended, writeAppendRehearsal, writeIssued, writeIssueRehearsal, writeVerdict } from './messages.ts';
import { known, readDagSubject, readIssueOrder, readKey, readName, readVerifyOrder } from './orders.ts';

/** Where nothing around the procedures is said. */
const UNSAID: AuthorityFacts = {
  version: '',
  durable: false,
  delegatedKeys: false,
  provenCallers: false,
  url: () => '',
};

/** Serves the authority. Every procedure but GetAuthority is for authenticated callers. */
export function authorityService(
  parts: AuthorityParts,
  describe: DescribeAuthority = authorityDescriber(parts, UNSAID),
): Service<typeof AuthorityService> {
  const issueItem = (request: IssueRequest, call: Call, details?: DetailRoom) =>
    issueOrder(readIssueOrder(request, parts.policy.token.ids), request.dryRun, call, details);
  const issueOrder = (order: IssueOrder, isDryRun: boolean, call: Call, details?: DetailRoom) => {
    if (isDryRun) return rehearse(order, call, details);
    const write = (issued: Issued) => writeIssued(issued, details);
    const begun = beginIssue(parts, call.caller, order, call);
    return begun === undefined ? issue(parts, call.caller, order, call).then(write) : andThen(begun, write);
  };
  const rehearse = async (order: IssueOrder, call: Call, details: DetailRoom | undefined) => {
    const rehearsal = await rehearseIssue(parts, call.caller, order, call);
    const [first] = rehearsal.failures;
    if (first !== undefined) call.note(first.refusal.reason);
    return writeIssueRehearsal(rehearsal, details);
  };
  const verifyItem = (request: VerifyRequest, call: Call, details?: DetailRoom, requestId = '') => {
    const order = readVerifyOrder(request);
    const named = order.requestId === '' ? { ...order, requestId } : order;
    return andThen(beginVerify(parts, call.caller, named, call), (verdict) => {
      if (verdict.refusal !== undefined) call.note(verdict.refusal.reason);
      return writeVerdict(verdict, details);
    });
  };
  return {
    descriptor: AuthorityService,
    access: 'callers',
    published: ['getAuthority'],
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
      issue: (request, call) => {
        const begun = issueItem(request, call);
        return begun instanceof Promise ? begun : parts.rounds.finish(begun);
      },
      batchIssue: async ({ items, requestId }, call) => {
        const details = new DetailRoom(issueDetailBytes(items));
        const name = readKey('request_id', requestId);
        if (name === '')
          return { results: await runItems(items, call, (request, of) => issueItem(request, of, details)) };
        checkItems(items);
        const orderAt = await holdOrders(parts, name, items, call);
        const results = await runItems(items, call, (request, of, place) =>
          issueOrder(orderAt(place), request.dryRun, of, details),
        );
        return { results };
      },
      verify: (request, call) => parts.rounds.finish(verifyItem(request, call)),
      batchVerify: async ({ items, requestId }, call) => {
        const details = new DetailRoom(verdictDetailBytes(items));
        const name = readName('request_id', requestId);
        refuseGuessableId(call.caller, { requestId: name });
        const results = await runItems(items, call, (request, of, place) =>
          verifyItem(request, of, details, name === '' ? '' : `${name} ${place}`),
        );
        return { results };
      },
      validateDAG: async (request, call) => {
        known('graph', request.graph, GraphFormat);
        const labels = request.graph !== GraphFormat.UNSPECIFIED;
        const answer = await validateDag(parts, readDagSubject(request), call, { labels });
        if ('refusal' in answer) {
          call.note(answer.refusal.reason);
          return writeUnreadable(answer.refusal);
        }
        const [violation] = answer.report.violations;
        if (violation !== undefined) call.note(violation.reason);
        return { ...writeGraphReport(answer.report), graph: await draw(answer.report, request.graph, call) };
      },
      appendLedger: async ({ token, dryRun }, call) => {
        if (token === '') throw invalid('token', 'is required');
        if (dryRun) {
          const rehearsal = await rehearseAppend(parts, token, call);
          if (rehearsal.verdict.refusal !== undefined) call.note(rehearsal.verdict.refusal.reason);
          return writeAppendRehearsal(rehearsal);
        }
        return writeAppended(await append(parts, call.caller, token, call.signal));
      },
      batchAppendLedger: async ({ items }, call) => ({ results: await appendItems(parts, items, call) }),
    },
  };
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
function writeUnreadable({ reason, message }: Refusal) {
  return { status: DagStatus.INVALID, violations: [{ reason, message, tasks: [] }] };
}
