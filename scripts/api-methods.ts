// Who may call each method, and what it fails with beside what every call may fail with. By the name of the method; a test holds
// it against the services.

import type { ErrorReason } from '../src/errors.ts';

/** As `Access` in src/calls/call.ts. */
type Caller = 'public' | 'callers' | 'admin';

interface MethodFacts {
  readonly caller: Caller;
  readonly reasons: readonly ErrorReason[];
  /** What is no failure of the call: an answer, or the result of an item. */
  readonly note?: string;
}

export const CALLERS: Readonly<Record<Caller, string>> = {
  public: 'everybody',
  callers: 'proven callers (over loopback without TLS: everybody)',
  admin: 'administrators (`ECT_ADMINS`)',
};

/** What every call may fail with. */
export const OF_EVERY_CALL: readonly ErrorReason[] = [
  'REQUEST_MALFORMED',
  'MESSAGE_TOO_LARGE',
  'METHOD_UNKNOWN',
  'HOST_NOT_ALLOWED',
  'ORIGIN_NOT_ALLOWED',
  'SERVICE_OVERLOADED',
  'QUOTA_EXCEEDED',
  'DEADLINE_EXCEEDED',
  'CALL_CANCELLED',
  'INTERNAL',
];
/** And where it needs a proven caller, or the policy is asked. */
export const OF_PROVEN_CALLERS: readonly ErrorReason[] = [
  'CALLER_UNTRUSTED',
  'CALLER_ID_INVALID',
  'ISSUER_KEYS_UNAVAILABLE',
  'NOT_AUTHORIZED',
];
/** And of a caller with a Workload Proof Token, whose use is stored before the call. */
export const OF_PROOFS: readonly ErrorReason[] = [
  'REPLAY_GUARD_UNAVAILABLE',
  'REPLAY_GUARD_FULL',
  'ONCE_CORRUPT',
  'STORAGE_FULL',
  'CLOCK_UNTRUSTED',
];

const LEDGER: readonly ErrorReason[] = ['LEDGER_UNAVAILABLE', 'LEDGER_CORRUPT'];
const WRITING: readonly ErrorReason[] = ['STORAGE_FULL', 'CLOCK_UNTRUSTED', ...LEDGER];
const ONCE: readonly ErrorReason[] = ['IDEMPOTENCY_CONFLICT', 'IDEMPOTENCY_UNAVAILABLE', 'ONCE_CORRUPT'];
const SIGNING: readonly ErrorReason[] = [
  'SIGNER_UNAVAILABLE',
  'SIGNER_BUSY',
  'SIGNER_MISCONFIGURED',
  'SIGNER_BAD_OUTPUT',
];
const CLAIMS: readonly ErrorReason[] = ['CLAIM_INVALID', 'PRED_INVALID', 'EXT_TOO_LARGE', 'EXT_TOO_DEEP'];
const GRAPH: readonly ErrorReason[] = [
  'DAG_DUPLICATE_TASK',
  'DAG_PREDECESSOR_MISSING',
  'DAG_TIME_ORDER',
  'DAG_CYCLE',
  'DAG_TOO_DEEP',
  'DAG_WORKFLOW_MISMATCH',
  'DAG_PREDECESSOR_NOT_APPROVED',
];
const TOKEN: readonly ErrorReason[] = [
  'TOKEN_TOO_LARGE',
  'TOKEN_MALFORMED',
  'LEVEL_TOO_LOW',
  'TYP_INVALID',
  'HEADER_FORBIDDEN',
  'ALG_NOT_ALLOWED',
  'KID_MISSING',
  'KEY_UNKNOWN',
  'KEY_REVOKED',
  'KEY_EXPIRED',
  'KEY_MISMATCH',
  'SIGNATURE_INVALID',
  'CLAIM_MISSING',
  ...CLAIMS,
  'ISSUER_MISMATCH',
  'AUDIENCE_MISMATCH',
  'TOKEN_EXPIRED',
  'IAT_IN_FUTURE',
  'TOKEN_NOT_YET_VALID',
  'IAT_TOO_OLD',
];
/** What only a verdict says. */
export const OF_VERDICTS: readonly ErrorReason[] = [
  'INPUT_HASH_MISMATCH',
  'OUTPUT_HASH_MISMATCH',
  'TOKEN_REPLAYED',
  'TOKEN_EQUIVOCATED',
];

const REPLAY: readonly ErrorReason[] = ['REPLAY_GUARD_UNAVAILABLE', 'REPLAY_GUARD_FULL', 'ONCE_CORRUPT'];
const KEYS: readonly ErrorReason[] = ['REQUEST_INVALID', 'ADMIN_REQUIRED', ...WRITING];

/** By the name of the method. */
export const METHODS: Readonly<Record<string, MethodFacts>> = {
  GetAuthority: { caller: 'public', reasons: [] },
  Issue: {
    caller: 'callers',
    reasons: [
      'REQUEST_INVALID',
      'ISSUER_NOT_ALLOWED',
      'AUDIENCE_MISMATCH',
      'TOKEN_TOO_LARGE',
      ...CLAIMS,
      'TOKEN_EXPIRED',
      ...GRAPH,
      ...SIGNING,
      ...ONCE,
      ...WRITING,
    ],
    note: 'A dry run answers as checks what the call would fail with.',
  },
  BatchIssue: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', ...ONCE, ...WRITING],
    note: 'An item fails with what Issue fails with, as its result.',
  },
  Verify: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', ...REPLAY, ...WRITING],
    note: 'What is wrong with the token or its graph is the verdict.',
  },
  BatchVerify: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID'],
    note: 'An item fails with what Verify fails with, as its result.',
  },
  ValidateDAG: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', 'WORKFLOW_NOT_FOUND', ...LEDGER],
    note: 'What is wrong with a token or with the graph is the answer.',
  },
  AppendLedger: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', ...TOKEN, ...GRAPH, ...WRITING],
    note: 'A dry run answers as checks what the call would fail with.',
  },
  BatchAppendLedger: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', ...LEDGER],
    note: 'An item fails with what AppendLedger fails with, as its result.',
  },
  GetKeySet: { caller: 'public', reasons: [] },
  ListKeys: { caller: 'admin', reasons: ['REQUEST_INVALID', 'ADMIN_REQUIRED', ...LEDGER] },
  RotateKey: {
    caller: 'admin',
    reasons: [...KEYS, 'KEY_NOT_CURRENT', 'KEY_STATE_INVALID', 'ROTATION_UNSUPPORTED', ...SIGNING, ...ONCE],
  },
  RetireKey: { caller: 'admin', reasons: [...KEYS, 'KEY_NOT_FOUND', 'KEY_STATE_INVALID'] },
  RevokeKey: { caller: 'admin', reasons: [...KEYS, 'KEY_NOT_FOUND', 'KEY_STATE_INVALID'] },
  GetEntry: {
    caller: 'callers',
    reasons: [
      'REQUEST_INVALID',
      'ENTRY_NOT_FOUND',
      'ENTRY_PENDING',
      'ENTRY_FAILED',
      'INDEX_OUT_OF_RANGE',
      ...LEDGER,
      'ONCE_CORRUPT',
    ],
  },
  GetRecording: { caller: 'callers', reasons: ['REQUEST_INVALID', 'ENTRY_NOT_FOUND', ...LEDGER, 'ONCE_CORRUPT'] },
  ListEntries: { caller: 'callers', reasons: ['REQUEST_INVALID', ...LEDGER] },
  GetWorkflow: { caller: 'callers', reasons: ['REQUEST_INVALID', 'WORKFLOW_NOT_FOUND', ...LEDGER] },
  GetCheckpoint: { caller: 'callers', reasons: [...LEDGER] },
  GetInclusionProof: {
    caller: 'callers',
    reasons: ['REQUEST_INVALID', 'ENTRY_NOT_FOUND', 'INDEX_OUT_OF_RANGE', 'TREE_SIZE_INVALID', ...LEDGER],
  },
  GetConsistencyProof: { caller: 'callers', reasons: ['REQUEST_INVALID', 'TREE_SIZE_INVALID', ...LEDGER] },
  MarkCompromised: { caller: 'admin', reasons: [...KEYS] },
};
