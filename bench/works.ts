// The work that is asked for: for each kind the method, and the request messages as gRPC frames, ready to be sent.

import { create, toBinary } from '@bufbuild/protobuf';
import {
  AppendLedgerRequestSchema,
  BatchAppendLedgerRequestSchema,
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  DagMode,
  IssueRequestSchema,
  ReplayMode,
  VerifyRequestSchema,
} from '../src/gen/ect/v1/authority_pb.ts';
import { Level } from '../src/gen/ect/v1/token_pb.ts';
import type { LocalSigner } from '../src/signers/local/index.ts';
import { AUDIENCE, INPUT_HASH, ISSUER, mintTokens, OUTPUT_HASH, type Place } from './tokens.ts';

/** Tokens in one call of a batch method. */
export const BATCH_ITEMS = 100;
/** How many tokens the work `verify-seen` repeats. */
const SEEN_TOKENS = 100;

export type WorkName =
  | 'issue'
  | 'issue-as-itself'
  | 'issue-recorded'
  | 'verify-unseen'
  | 'verify-recorded'
  | 'verify-seen'
  | 'batch-issue'
  | 'batch-verify'
  | 'append'
  | 'batch-append'
  | 'issue-after'
  | 'verify-after';

export interface Work {
  /** `/ect.v1.AuthorityService/Issue`. */
  readonly path: string;
  /** Tokens in one call. */
  readonly units: number;
  /** The requests of so many calls as gRPC frames. Fewer than calls: they are sent over and over. `place`: see tokens.ts. */
  bodies(signer: LocalSigner, calls: number, place?: Place): Buffer[];
}

export const WORKS: Readonly<Record<WorkName, Work>> = {
  issue: { path: pathOf('Issue'), units: 1, bodies: () => [issueBody()] },
  'issue-as-itself': {
    path: pathOf('Issue'),
    units: 1,
    bodies: () => [frame(toBinary(IssueRequestSchema, { ...issueRequest(), iss: '' }))],
  },
  'issue-recorded': {
    path: pathOf('Issue'),
    units: 1,
    bodies: () => [frame(toBinary(IssueRequestSchema, issueRequest(undefined, Level.L3)))],
  },
  'verify-unseen': {
    path: pathOf('Verify'),
    units: 1,
    bodies: (signer, calls) => tokenBodies(signer, calls, (token) => verifyBody(token, ReplayMode.SKIP)),
  },
  'verify-recorded': {
    path: pathOf('Verify'),
    units: 1,
    bodies: (signer, calls) => tokenBodies(signer, calls, (token) => verifyBody(token, ReplayMode.RECORD)),
  },
  'verify-seen': {
    path: pathOf('Verify'),
    units: 1,
    bodies: (signer) => tokenBodies(signer, SEEN_TOKENS, (token) => verifyBody(token, ReplayMode.SKIP)),
  },
  'batch-issue': {
    path: pathOf('BatchIssue'),
    units: BATCH_ITEMS,
    bodies: () => [batchIssueBody()],
  },
  'batch-verify': {
    path: pathOf('BatchVerify'),
    units: BATCH_ITEMS,
    bodies: (signer, calls) => {
      const tokens = mintTokens(signer, calls * BATCH_ITEMS);
      return Array.from({ length: calls }, (_, call) =>
        batchVerifyBody(tokens.slice(call * BATCH_ITEMS, (call + 1) * BATCH_ITEMS)),
      );
    },
  },
  append: {
    path: pathOf('AppendLedger'),
    units: 1,
    bodies: (signer, calls, place) => mintTokens(signer, calls, place).map(appendBody),
  },
  'batch-append': {
    path: pathOf('BatchAppendLedger'),
    units: BATCH_ITEMS,
    bodies: (signer, calls, place) => {
      const tokens = mintTokens(signer, calls * BATCH_ITEMS, place);
      return Array.from({ length: calls }, (_, call) =>
        batchAppendBody(tokens.slice(call * BATCH_ITEMS, (call + 1) * BATCH_ITEMS)),
      );
    },
  },
  'issue-after': { path: pathOf('Issue'), units: 1, bodies: (_, __, place) => [issueBody(place)] },
  'verify-after': {
    path: pathOf('Verify'),
    units: 1,
    bodies: (signer, calls, place) =>
      mintTokens(signer, calls, place).map((token) => verifyBody(token, ReplayMode.SKIP, DagMode.COMPLETE)),
  },
};

function pathOf(method: string): string {
  return `/ect.v1.AuthorityService/${method}`;
}

/** A message as gRPC sends it: not compressed, its length, its bytes. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

function tokenBodies(signer: LocalSigner, count: number, body: (token: string) => Buffer): Buffer[] {
  return mintTokens(signer, count).map(body);
}

function appendBody(token: string): Buffer {
  return frame(toBinary(AppendLedgerRequestSchema, create(AppendLedgerRequestSchema, { token })));
}

/** One BatchAppendLedger of these tokens, in this order. */
export function batchAppendBody(tokens: readonly string[]): Buffer {
  const items = tokens.map((token, item) => ({ reference: String(item), request: { token } }));
  return frame(toBinary(BatchAppendLedgerRequestSchema, create(BatchAppendLedgerRequestSchema, { items })));
}

const ISSUE_PLACE: Place = { wid: '6f1c2e1a-54f7-4c1b-9f0e-0d2c8a7b3e55', pred: [] };

function issueRequest({ wid, pred }: Place = ISSUE_PLACE, level: Level = Level.UNSPECIFIED) {
  return create(IssueRequestSchema, {
    execAct: 'review_spec',
    aud: [AUDIENCE],
    iss: ISSUER,
    wid,
    pred: [...pred],
    level,
    inputBinding: { case: 'inpHash', value: INPUT_HASH },
    outputBinding: { case: 'outHash', value: OUTPUT_HASH },
  });
}

function issueBody(place?: Place): Buffer {
  return frame(toBinary(IssueRequestSchema, issueRequest(place)));
}

function batchIssueBody(): Buffer {
  const items = Array.from({ length: BATCH_ITEMS }, (_, item) => ({
    reference: String(item),
    request: issueRequest(),
  }));
  return frame(toBinary(BatchIssueRequestSchema, create(BatchIssueRequestSchema, { items })));
}

function verifyRequest(token: string, replayMode: ReplayMode, dagMode: DagMode = DagMode.UNSPECIFIED) {
  return create(VerifyRequestSchema, { token, audience: AUDIENCE, replayMode, dagMode });
}

function verifyBody(token: string, replayMode: ReplayMode, dagMode?: DagMode): Buffer {
  return frame(toBinary(VerifyRequestSchema, verifyRequest(token, replayMode, dagMode)));
}

function batchVerifyBody(tokens: readonly string[]): Buffer {
  const items = tokens.map((token, item) => ({
    reference: String(item),
    request: verifyRequest(token, ReplayMode.SKIP),
  }));
  return frame(toBinary(BatchVerifyRequestSchema, create(BatchVerifyRequestSchema, { items })));
}
