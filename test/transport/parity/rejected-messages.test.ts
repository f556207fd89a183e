// What the real procedures reject is rejected alike at both transports.

import type { DescMethodUnary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { METHODS } from '../../../scripts/api-methods.ts';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from '../../../src/calls/message-limits.ts';
import { RecordMode } from '../../../src/gen/ect/v1/authority_pb.ts';
import { EntryKind } from '../../../src/gen/ect/v1/ledger_pb.ts';
import { Draft, Level } from '../../../src/gen/ect/v1/token_pb.ts';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { frame } from '../../support/rpc-clients.ts';
import { NOW, WID } from '../../support/tokens.ts';
import { callBoth } from './both-transports.ts';
import { reasonOf } from './permissive-transports.ts';
import {
  A,
  call,
  D,
  indexed,
  keyOf,
  L,
  LOST_JTI,
  NO_SUCH_TASK,
  named,
  order,
  type Request,
  transports,
  verify,
  WAITING_JTI,
} from './real-services.ts';

describe('what the real procedures reject is rejected alike', () => {
  const rejected = <M extends DescMethodUnary>(reason: string, method: M, request: () => Request<M>) => ({
    reason,
    method: method as DescMethodUnary,
    request: request as () => Request<DescMethodUnary>,
  });
  const REFUSED = [
    rejected('KEY_NOT_FOUND', D.revokeKey, () => ({ kid: 'x'.repeat(43) })),
    rejected('KEY_STATE_INVALID', D.retireKey, () => keyOf(2)),
    rejected('KEY_NOT_CURRENT', D.rotateKey, () => ({ expectedCurrentKid: 'x'.repeat(43) })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ requestId: 'with blank' })),
    rejected('REQUEST_INVALID', A.batchIssue, () => ({ requestId: 'with blank', items: [{ request: order() }] })),
    rejected('REQUEST_INVALID', A.batchVerify, () => ({ requestId: '1', items: [{ request: verify() }] })),
    rejected('REQUEST_INVALID', D.markCompromised, () => ({
      subject: { case: 'task' as const, value: { jti: NO_SUCH_TASK } },
      compromisedSince: { seconds: 1n },
    })),
    rejected('ROTATION_UNSUPPORTED', D.rotateKey, () => ({
      source: { case: 'existing' as const, value: { name: 'alias/other' } },
    })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ source: { case: 'existing' as const, value: {} } })),
    rejected('REQUEST_INVALID', D.retireKey, () => ({ kid: '' })),
    rejected('REQUEST_INVALID', D.listKeys, () => ({ pageSize: -1 })),
    rejected('REQUEST_INVALID', D.listKeys, () => ({ pageToken: '-1' })),
    rejected('REQUEST_INVALID', D.rotateKey, () => ({ note: 'x'.repeat(257) })),
    rejected('CLAIM_INVALID', A.issue, () => order({ execAct: '' })),
    rejected('ISSUER_NOT_ALLOWED', A.issue, () => order({ iss: 'urn:other' })),
    rejected('REQUEST_INVALID', A.verify, () => verify({ requestId: '1' })),
    rejected('DAG_PREDECESSOR_MISSING', A.issue, () => order({ level: Level.L3, pred: [NO_SUCH_TASK] })),
    rejected('PRED_INVALID', A.issue, () => order({ pred: [NO_SUCH_TASK, NO_SUCH_TASK] })),
    rejected('EXT_TOO_DEEP', A.issue, () => order({ extension: { case: 'ectExtJson', value: '{"a":[[[[[[1]]]]]]}' } })),
    rejected('EXT_TOO_LARGE', A.issue, () =>
      order({ extension: { case: 'ectExtJson', value: `{"a":"${'x'.repeat(5000)}"}` } }),
    ),
    rejected('REQUEST_INVALID', A.issue, () => order({ ttl: { seconds: 0n } })),
    rejected('REQUEST_INVALID', A.issue, () => order({ draft: 99 as never })),
    rejected('REQUEST_INVALID', A.issue, () => order({ recordMode: RecordMode.ASYNC })),
    rejected('REQUEST_INVALID', A.batchIssue, () => ({})),
    rejected('REQUEST_INVALID', A.verify, () => ({})),
    rejected('REQUEST_INVALID', A.verify, () => verify({ asOf: { seconds: BigInt(NOW + 1) } })),
    rejected('REQUEST_INVALID', A.verify, () => verify({ verifyMode: 99 as never })),
    rejected('REQUEST_INVALID', A.issue, () => order({ level: Level.L1, draft: Draft.ECT_00 })),
    rejected('TOKEN_MALFORMED', A.appendLedger, () => ({ token: 'a.b.c' })),
    rejected('TOKEN_TOO_LARGE', A.appendLedger, () => ({ token: 'x'.repeat(20_000) })),
    rejected('ENTRY_NOT_FOUND', L.getEntry, () => named(NO_SUCH_TASK)),
    rejected('ENTRY_FAILED', L.getEntry, () => named(LOST_JTI)),
    rejected('ENTRY_PENDING', L.getEntry, () => named(WAITING_JTI)),
    rejected('INDEX_OUT_OF_RANGE', L.getEntry, () => indexed(4n)),
    rejected('REQUEST_INVALID', L.getEntry, () => ({})),
    rejected('REQUEST_INVALID', L.getEntry, () => named('', WID)),
    rejected('REQUEST_INVALID', L.getEntry, () => ({ ...indexed(0n), receiptFormat: 9 as never })),
    rejected('ENTRY_NOT_FOUND', L.getRecording, () => ({ task: { jti: NO_SUCH_TASK }, wait: { seconds: 5n } })),
    rejected('REQUEST_INVALID', L.getRecording, () => ({ task: { wid: WID } })),
    rejected('REQUEST_INVALID', L.getRecording, () => ({ task: { jti: LOST_JTI }, wait: { seconds: -1n } })),
    rejected('INDEX_OUT_OF_RANGE', L.getInclusionProof, () => ({ leafIndex: 4n })),
    rejected('WORKFLOW_NOT_FOUND', L.getWorkflow, () => ({ wid: NO_SUCH_TASK })),
    rejected('TREE_SIZE_INVALID', L.getInclusionProof, () => ({ leafIndex: 0n, treeSize: 99n })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ pageToken: 'no token' })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ pageSize: -1 })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ kinds: [EntryKind.UNSPECIFIED] })),
    rejected('REQUEST_INVALID', L.listEntries, () => ({ order: 9 as never })),
    rejected('REQUEST_INVALID', D.markCompromised, () => ({ note: 'of nothing' })),
    rejected('SERVICE_UNKNOWN', Health.method.check, () => ({ service: 'no.such.Service' })),
  ];
  test.each(REFUSED)('$reason', async ({ reason, method, request }) => {
    expect(reasonOf(await call(method, request()))).toBe(reason);
    // The API page names it for the method.
    const documented = METHODS[method.name]?.reasons;
    if (documented !== undefined) expect(documented).toContain(reason);
  });

  test.each([
    [A.issue, MAX_MESSAGE_BYTES],
    [A.appendLedger, MAX_MESSAGE_BYTES],
    [A.batchIssue, MAX_BATCH_BYTES],
    [A.validateDAG, MAX_BATCH_BYTES],
  ] as const)('H11: %s is too large from one byte over its limit on', async (method, limit) => {
    // An unknown field of bytes, with a tag of two bytes and a length of three or four.
    const padded = (bytes: number) => {
      const tag = [0xfa, 0x7f];
      const size = bytes - tag.length - (bytes > 1 << 21 ? 4 : 3);
      const length = [];
      for (let rest = size; rest > 0; rest = Math.floor(rest / 128))
        length.push((rest % 128) | (rest >= 128 ? 128 : 0));
      const message = Buffer.concat([Buffer.from([...tag, ...length]), Buffer.alloc(size)]);
      expect(message).toHaveLength(bytes);
      return { path: `/${method.parent.typeName}/${method.name}`, body: [frame(message)] };
    };
    expect(reasonOf(await callBoth(transports, padded(limit)))).not.toBe('MESSAGE_TOO_LARGE');
    expect(reasonOf(await callBoth(transports, padded(limit + 1)))).toBe('MESSAGE_TOO_LARGE');
  });
});
