// The most expensive legal input of each unary method, against a ledger with a dense workflow in it.

import type { DescMethodUnary, DescService, MessageInitShape } from '@bufbuild/protobuf';
import { AdminService } from '../../../src/gen/ect/v1/admin_pb.ts';
import {
  AuthorityService,
  DagMode,
  GraphFormat,
  type IssueRequestSchema,
  ReplayMode,
  VerifyMode,
  type VerifyRequestSchema,
} from '../../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../../src/gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../../src/gen/ect/v1/token_pb.ts';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts';

export const SERVICES: readonly DescService[] = [AuthorityService, LedgerService, KeyService, AdminService, Health];

const AUD = 'urn:example:reviewer';
const LARGE_EXTENSION = JSON.stringify({ note: 'x'.repeat(4_000) });
/** A message for one token may have 256 KiB, one for many 4 MiB. */
const LARGE_INPUT = Buffer.alloc(180_000, 'x');

/** What is in the ledger before. */
export interface Recorded {
  /** A workflow in layers, its last layer, and its last task with the token of that. */
  readonly wid: string;
  readonly lastLayer: readonly string[];
  readonly last: string;
  readonly lastToken: string;
  /** Tokens that are in no ledger, as large as they may be, and small ones. */
  readonly largeTokens: readonly string[];
  readonly smallTokens: readonly string[];
  readonly treeSize: bigint;
}

export interface CostlyRequest {
  readonly name: string;
  readonly method: DescMethodUnary;
  readonly request: object;
}

/** Every unary method at least once. */
export function costlyRequests(recorded: Recorded): readonly CostlyRequest[] {
  const { wid, lastLayer, last, lastToken, largeTokens, smallTokens, treeSize } = recorded;
  const issue = (): MessageInitShape<typeof IssueRequestSchema> => ({
    execAct: 'review',
    aud: [AUD],
    wid,
    pred: [...lastLayer],
  });
  const verify = (token: string): MessageInitShape<typeof VerifyRequestSchema> => ({
    token,
    audience: AUD,
    verifyMode: VerifyMode.REPORT,
    dagMode: DagMode.COMPLETE,
    replayMode: ReplayMode.RECORD,
  });
  const times = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
  const largest = largeTokens[0]!;
  const { issue: Issue, batchIssue, verify: Verify, batchVerify, validateDAG } = AuthorityService.method;
  const { appendLedger, batchAppendLedger, getAuthority } = AuthorityService.method;
  const { getEntry, getRecording, listEntries, getWorkflow } = LedgerService.method;
  const { getCheckpoint, getInclusionProof, getConsistencyProof } = LedgerService.method;
  const { getKeySet } = KeyService.method;
  const { listKeys, rotateKey, retireKey, revokeKey, markCompromised } = AdminService.method;
  const table: readonly [string, DescMethodUnary, object][] = [
    ['after 40 tasks, level 3', Issue, { ...issue(), level: Level.L3, extension: ext() }],
    ['a large input to hash', Issue, { ...issue(), inputBinding: { case: 'input', value: LARGE_INPUT } }],
    ['1,000 roots', batchIssue, { items: times(1000, () => ({ request: { execAct: 'review', aud: [AUD] } })) }],
    ['1,000 tasks after 40 each', batchIssue, { items: times(1000, () => ({ request: issue() })) }],
    ['900 large ones, level 3', batchIssue, { items: times(900, () => ({ request: large() })) }],
    ['100 predecessors handed along', Verify, { ...verify(lastToken), predecessorTokens: smallTokens.slice(0, 100) }],
    ['a large token and body', Verify, { ...verify(largest), inputBinding: { case: 'input', value: LARGE_INPUT } }],
    ['1,000 small tokens', batchVerify, { items: smallTokens.map((token) => ({ request: verify(token) })) }],
    ['600 large tokens', batchVerify, { items: largeTokens.map((token) => ({ request: verify(token) })) }],
    [
      '1,000 malformed tokens',
      batchVerify,
      { items: times(1000, () => ({ request: verify(`${'a.'.repeat(1_800)}`) })) },
    ],
    ['a dense workflow', validateDAG, { subject: { case: 'wid', value: wid }, graphFormat: GraphFormat.DOT }],
    [
      'a dense workflow, drawn by Mermaid',
      validateDAG,
      { subject: { case: 'wid', value: wid }, graphFormat: GraphFormat.MERMAID },
    ],
    [
      'the last token of it',
      validateDAG,
      { subject: { case: 'token', value: lastToken }, graphFormat: GraphFormat.DOT },
    ],
    [
      'a bundle',
      validateDAG,
      { subject: { case: 'bundle', value: { tokens: [...smallTokens, ...largeTokens.slice(0, 500)] } } },
    ],
    ['a large token', appendLedger, { token: largest }],
    ['1,000 small tokens', batchAppendLedger, { items: smallTokens.map((token) => ({ request: { token } })) }],
    ['600 large tokens', batchAppendLedger, { items: largeTokens.map((token) => ({ request: { token } })) }],
    ['the last task', getEntry, { name: { case: 'task', value: { jti: last, wid } } }],
    ['the last task, with a wait', getRecording, { task: { jti: last, wid }, wait: { seconds: 5n } }],
    ['a page of 1,000', listEntries, { pageSize: 1000 }],
    ['a page of the densest', listEntries, { wid, pageSize: 1000 }],
    ['a page that filters all', listEntries, { iss: 'urn:ect:dev:nobody', pageSize: 1000 }],
    ['tasks alone, the newest first', listEntries, { kinds: [1], order: 2, pageSize: 1000 }],
    ['a dense workflow', getWorkflow, { wid }],
    ['all that it says', getAuthority, {}],
    ['the newest', getCheckpoint, {}],
    ['of the first entry', getInclusionProof, { leafIndex: 0n, treeSize }],
    ['from the first', getConsistencyProof, { firstTreeSize: 1n, secondTreeSize: treeSize }],
    [
      'the root of a dense workflow',
      markCompromised,
      { subject: { case: 'task', value: { jti: last, wid } }, note: 'x' },
    ],
    ['the key set', getKeySet, {}],
    ['all keys', listKeys, {}],
    ['a new key', rotateKey, { note: 'test' }],
    ['an unknown key', retireKey, { kid: 'unknown' }],
    ['an unknown key', revokeKey, { kid: 'unknown' }],
    ['one service', Health.method.check, { service: 'ect.v1.AuthorityService' }],
    ['all services', Health.method.list, {}],
  ];
  return table.map(([name, method, request]) => ({ name: `${method.name}: ${name}`, method, request }));

  function ext() {
    return { case: 'ectExtJson', value: LARGE_EXTENSION } as const;
  }
  function large(): MessageInitShape<typeof IssueRequestSchema> {
    return { execAct: 'review', aud: [AUD], level: Level.L3, extension: ext() };
  }
}
