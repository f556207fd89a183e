// Reads the subject of a ValidateDAG request.

import type { DagSubject } from '../authority/index.ts';
import { MAX_BUNDLE_TOKENS } from '../calls/message-limits.ts';
import { GraphFormatSchema, type ValidateDAGRequest } from '../gen/ect/v1/authority_pb.ts';
import { known } from './enums.ts';
import { demand, invalid } from './invalid.ts';
import { demandList } from './lists.ts';
import { checkLookupId, readPredecessors } from './request-fields.ts';
import { checkAll } from './violations.ts';

/** Reads a ValidateDAG request. Throws REQUEST_INVALID, which names the field. */
export function readDagSubject(request: ValidateDAGRequest): DagSubject {
  const { subject, predecessorTokens, graphFormat } = request;
  const isAlone = predecessorTokens.length === 0 || subject.case === 'token';
  checkAll(
    () => known('graph_format', graphFormat, GraphFormatSchema),
    () => demand(isAlone, 'predecessor_tokens', 'go with token only'),
    () => readPredecessors(predecessorTokens),
    () => subjectOf(request),
  );
  return subjectOf(request);
}

function subjectOf({ subject, predecessorTokens }: ValidateDAGRequest): DagSubject {
  switch (subject.case) {
    case 'token':
      if (subject.value === '') throw invalid('token', 'is required');
      return { kind: 'token', token: subject.value, predecessors: predecessorTokens };
    case 'wid':
      checkLookupId('wid', subject.value, true);
      return { kind: 'workflow', wid: subject.value };
    case 'bundle': {
      const { tokens } = subject.value;
      demandList('bundle.tokens', tokens);
      if (tokens.length === 0 || tokens.length > MAX_BUNDLE_TOKENS) {
        throw invalid('bundle.tokens', `must have 1 to ${MAX_BUNDLE_TOKENS} tokens`);
      }
      return { kind: 'bundle', tokens };
    }
    default:
      throw invalid('subject', 'is required: token, wid or bundle');
  }
}
