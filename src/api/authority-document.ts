// What a client needs to know about this authority before its first call: the response of GetAuthority, which
// `/.well-known/ect-authority` returns as JSON. Each limit is read from the part that enforces it.

import { create, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { type AuthorityContext, MAX_WAIT_MS, PENDING_LIMITS } from '../authority/index.ts';
import { DEFAULT_LIMITS } from '../calls/connection-limits.ts';
import { MAX_CALL_MS } from '../calls/deadline.ts';
import {
  MAX_ANSWER_BYTES,
  MAX_BATCH_BYTES,
  MAX_BATCH_ITEMS,
  MAX_BATCH_OBJECTS,
  MAX_BUNDLE_TOKENS,
  MAX_DEPTH,
  MAX_EXT_TEXT_CHARACTERS,
  MAX_HANDED_ALONG,
  MAX_KEY_NAME_CHARACTERS,
  MAX_LOOKUP_ID_CHARACTERS,
  MAX_MESSAGE_BYTES,
  MAX_NAME_BYTES,
  MAX_NOTE_CHARACTERS,
  MAX_PAGE_ENTRIES,
  MAX_PAGE_KEYS,
  MAX_RATIO,
  MAX_VALUES,
} from '../calls/message-limits.ts';
import { MAX_ANCESTORS, MAX_WORKFLOW_TASKS } from '../dag/index.ts';
import { AdminService } from '../gen/ect/v1/admin_pb.ts';
import {
  type AuthorityFeaturesSchema,
  type AuthorityLimitsSchema,
  AuthorityService,
  type GetAuthorityResponse,
  GetAuthorityResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import { LedgerService } from '../gen/ect/v1/ledger_pb.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import { MAX_KID_CHARACTERS } from '../keys/index.ts';
import { CONNECTION_RATE, MAX_ACCOUNT_CALLS, MAX_CONNECTION_STREAMS } from '../limits/index.ts';
import {
  ID_FORMS,
  MAX_AUDIENCES,
  MAX_EXEC_ACT_CHARACTERS,
  MAX_EXT_BYTES,
  MAX_EXT_DEPTH,
  MAX_PREDECESSORS,
  MAX_URI_BYTES,
} from '../token/index.ts';
import type { Page } from './page.ts';

/** The full names of the services of an authority. */
const SERVICES = [AuthorityService, LedgerService, KeyService, AdminService].map(({ typeName }) => typeName);

/** Facts that the procedures do not know. */
export interface AuthorityFacts {
  /** The version of the running release. */
  readonly version: string;
  /** Whether entries and results survive the process. */
  readonly durable: boolean;
  readonly delegatedKeys: boolean;
  readonly provenCallers: boolean;
  /** How many bytes a caller may have stored per hour; 0: no limit. */
  readonly writtenBytesPerHour: number;
  /** Returns the public base URL: `https://ect.example`. */
  readonly url: () => string;
}

/** Returns the response of GetAuthority. */
export type DescribeAuthority = () => GetAuthorityResponse;

/** Returns a function that builds the response once, and again when the URL has changed. */
export function authorityDescriber(context: AuthorityContext, facts: AuthorityFacts): DescribeAuthority {
  let [url, description] = ['', describe(context, facts, '')];
  return () => {
    const current = facts.url();
    if (current !== url) [url, description] = [current, describe(context, facts, current)];
    return description;
  };
}

function describe(context: AuthorityContext, facts: AuthorityFacts, url: string): GetAuthorityResponse {
  const { policy, ledger } = context;
  // The name of a ledger contains no plus sign, so it ends at the first one (C2SP signed-note).
  const [origin = ''] = ledger.verifierKey.split('+', 1);
  return create(GetAuthorityResponseSchema, {
    issuer: policy.issuer,
    version: facts.version,
    signingAlg: 'ES256',
    verificationAlgs: [...policy.token.algorithms],
    drafts: policy.token.drafts.map((draft) => `draft-nennemann-wimse-ect-${draft}`),
    jwksUri: `${url}/.well-known/jwks.json`,
    endpoints: Object.fromEntries(SERVICES.map((name) => [name, `${url}/${name}`])),
    ledger: { origin, verifierKey: ledger.verifierKey, audience: policy.ledgerAudience },
    limits: limitsOf(context, facts),
    features: featuresOf(context, facts),
  });
}

function limitsOf(
  { policy }: AuthorityContext,
  { writtenBytesPerHour }: AuthorityFacts,
): MessageInitShape<typeof AuthorityLimitsSchema> {
  const { token, defaultTtlSeconds } = policy;
  return {
    messageBytes: MAX_MESSAGE_BYTES,
    batchMessageBytes: MAX_BATCH_BYTES,
    answerBytes: MAX_ANSWER_BYTES,
    tokenBytes: token.maxTokenBytes,
    batchItems: MAX_BATCH_ITEMS,
    audiences: MAX_AUDIENCES,
    predecessors: MAX_PREDECESSORS,
    predecessorTokens: MAX_HANDED_ALONG,
    bundleTokens: MAX_BUNDLE_TOKENS,
    workflowTasks: MAX_WORKFLOW_TASKS,
    ancestors: MAX_ANCESTORS,
    extensionBytes: MAX_EXT_BYTES,
    extensionDepth: MAX_EXT_DEPTH,
    defaultTtl: durationOf(defaultTtlSeconds),
    maxTtl: durationOf(token.maxLifetimeSeconds),
    tokenAge: durationOf(token.maxAgeSeconds),
    clockSkew: durationOf(token.maxFutureSeconds),
    callTime: durationOf(MAX_CALL_MS / 1000),
    pageEntries: MAX_PAGE_ENTRIES,
    pageKeys: MAX_PAGE_KEYS,
    idCharacters: ID_FORMS[token.ids].characters,
    uriBytes: MAX_URI_BYTES,
    execActCharacters: MAX_EXEC_ACT_CHARACTERS,
    extensionTextCharacters: MAX_EXT_TEXT_CHARACTERS,
    nameBytes: MAX_NAME_BYTES,
    noteCharacters: MAX_NOTE_CHARACTERS,
    recordingWait: durationOf(MAX_WAIT_MS / 1000),
    openStreamsPerConnection: MAX_CONNECTION_STREAMS,
    openCallsPerConnection: DEFAULT_LIMITS.maxConcurrentStreams,
    openCallsPerCaller: MAX_ACCOUNT_CALLS,
    publicRequestsPerConnectionSecond: CONNECTION_RATE.perSecond,
    writtenBytesPerHour: BigInt(writtenBytesPerHour),
    openRecordingsPerCaller: PENDING_LIMITS.perCaller,
    openRecordings: PENDING_LIMITS.total,
    publicRequestsPerConnectionBurst: CONNECTION_RATE.burst,
    messageValues: MAX_VALUES,
    batchObjects: MAX_BATCH_OBJECTS,
    messageDepth: MAX_DEPTH,
    compressionRatio: MAX_RATIO,
    headerBytes: DEFAULT_LIMITS.maxHeaderBytes,
    kidCharacters: MAX_KID_CHARACTERS,
    keyNameCharacters: MAX_KEY_NAME_CHARACTERS,
    lookupIdCharacters: MAX_LOOKUP_ID_CHARACTERS,
  };
}

function durationOf(seconds: number) {
  return { seconds: BigInt(seconds), nanos: 0 };
}

function featuresOf(
  { policy, replay }: AuthorityContext,
  { durable, delegatedKeys, provenCallers }: AuthorityFacts,
): MessageInitShape<typeof AuthorityFeaturesSchema> {
  return {
    minimumLevel: Level[policy.token.minimumLevel],
    uuidIds: policy.token.ids === 'uuid',
    predecessorPolicy: policy.graph.predecessorPolicy,
    replayGuard: replay !== undefined,
    durable,
    delegatedKeys,
    provenCallers,
  };
}

/** Returns the page. Caches may keep it for `maxAgeSeconds`. */
export function authorityPage(describeAuthority: DescribeAuthority, maxAgeSeconds: number): Page {
  return {
    path: '/.well-known/ect-authority',
    isOpen: true,
    read: () => {
      const json = toJson(GetAuthorityResponseSchema, describeAuthority(), {
        alwaysEmitImplicit: true,
        useProtoFieldName: true,
      });
      const body = `${JSON.stringify(json, undefined, 2)}\n`;
      return { status: 200, contentType: 'application/json', body, maxAgeSeconds };
    },
  };
}
