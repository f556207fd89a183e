// Calls a batch, and compares its response with the bound that was computed before it.

import { create, createRegistry, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import { reflect } from '@bufbuild/protobuf/reflect';
import { expect } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import type { Call } from '../../src/calls/call.ts';
import {
  type AppendLedgerRequestSchema,
  BatchAppendLedgerRequestSchema,
  BatchAppendLedgerResponseSchema,
  BatchIssueRequestSchema,
  BatchIssueResponseSchema,
  BatchVerifyRequestSchema,
  BatchVerifyResponseSchema,
  DagMode,
  type IssueRequestSchema,
  ReplayMode,
  VerifyMode,
  type VerifyRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ReceiptFormat } from '../../src/gen/ect/v1/ledger_pb.ts';
import { file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { writtenBytes } from '../../src/transport/response-memory.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD, KID, policy, signingKey, trust } from '../support/tokens.ts';

export type Issue = MessageInitShape<typeof IssueRequestSchema>;
type Verify = MessageInitShape<typeof VerifyRequestSchema>;
type Append = MessageInitShape<typeof AppendLedgerRequestSchema>;

export const CALL: Call = {
  method: 'test',
  caller: { kind: 'anonymous' },
  signal: new AbortController().signal,
  note: () => {},
};
const DETAILS = createRegistry(file_google_rpc_error_details);
const JSON_FORM = { isFramed: false, codec: 'json', encoding: 'identity' } as const;
/** A key of another issuer: ids of keys have 256 characters there. */
export const LONG_KID = '"'.repeat(256);

const BATCHES = {
  batchIssue: { request: BatchIssueRequestSchema, response: BatchIssueResponseSchema },
  batchVerify: { request: BatchVerifyRequestSchema, response: BatchVerifyResponseSchema },
  batchAppendLedger: { request: BatchAppendLedgerRequestSchema, response: BatchAppendLedgerResponseSchema },
} as const;
type Method = keyof typeof BATCHES;

/** Every field that has been set in a response: `ect.v1.Claims.policy`. */
export const seen = new Set<string>();

function collect(message: ReflectMessage): void {
  for (const field of message.desc.fields) {
    if (!message.isSet(field)) continue;
    seen.add(`${message.desc.typeName}.${field.name}`);
    if (field.fieldKind === 'message') collect(message.get(field));
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const element of message.get(field)) collect(element as ReflectMessage);
    }
  }
}

export async function serviceOf(token: Partial<typeof policy> = {}) {
  const { context, signer, clock } = await makeAuthority(undefined, {
    token: { ...policy, minimumLevel: 'L1', ...token },
  });
  const own = { kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true };
  const foreign = [KID, LONG_KID].map((kid) => trust(signingKey, { kid }));
  return { ...authorityService({ ...context, keys: new KeyRing([own, ...foreign]) }), context, clock };
}

type Service = Awaited<ReturnType<typeof serviceOf>>;

/** Calls a batch, and compares what is answered with what was reserved. Returns the responses of its items. */
export async function call(
  service: Service,
  method: Method,
  requests: readonly object[],
  reference = '\u0001"'.repeat(64),
) {
  const { request: schema, response } = BATCHES[method];
  const items = requests.map((request) => ({ reference, request }));
  const request = create(schema as typeof BatchIssueRequestSchema, { items });
  const bound = Number(await service.answerBytes?.[method]?.(request as never, CALL));
  const answer = await service.procedures[method](request as never, CALL);
  const message = create(response as typeof BatchIssueResponseSchema, answer as never);
  collect(reflect(response as typeof BatchIssueResponseSchema, message));
  expect(toBinary(response as typeof BatchIssueResponseSchema, message).length).toBeLessThanOrEqual(bound);
  const json = toJson(response as typeof BatchIssueResponseSchema, message, {
    alwaysEmitImplicit: true,
    registry: DETAILS,
  });
  expect(Buffer.byteLength(JSON.stringify(json))).toBeLessThanOrEqual(writtenBytes(bound, JSON_FORM));
  return message.results.map(({ result }) => result);
}

/** The tokens that were issued. Each item must have been: a rejected one is no test of the bound. */
export async function issue(service: Service, requests: readonly Issue[]): Promise<string[]> {
  const results = await call(service, 'batchIssue', requests);
  return results.map((result) => {
    if (result.case !== 'response') throw new TypeError(`not issued: ${result.value?.message}`);
    return result.value.token;
  });
}

/** Verifies and appends tokens in each view that there is. */
export async function readAll(service: Service, tokens: readonly string[]): Promise<void> {
  for (const verifyMode of [VerifyMode.ENFORCE, VerifyMode.REPORT]) {
    for (const dagMode of [DagMode.NONE, DagMode.COMPLETE]) {
      const view = { audience: AUD, verifyMode, dagMode, replayMode: ReplayMode.OBSERVE };
      await call(
        service,
        'batchVerify',
        tokens.map((token): Verify => ({ token, ...view })),
      );
    }
  }
  for (const dryRun of [true, false]) {
    for (const receiptFormat of [ReceiptFormat.FIELDS, ReceiptFormat.TLOG_PROOF]) {
      await call(
        service,
        'batchAppendLedger',
        tokens.map((token): Append => ({ token, dryRun, receiptFormat })),
      );
      await call(
        service,
        'batchAppendLedger',
        tokens.map((token): Append => ({ token, dryRun: true, receiptFormat })),
      );
    }
  }
}
