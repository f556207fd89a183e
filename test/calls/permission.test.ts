// The gate: no procedure that is not public works for a caller whom the policy does not permit it. Real services, a real server, and a policy
// that permits nothing, and one that permits everything.

import { connect } from 'node:http2';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminService } from '../../src/api/admin.ts';
import { authorityService } from '../../src/api/authority.ts';
import { keyService } from '../../src/api/keys.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import type { AuthorityContext, Authorizer } from '../../src/authority/index.ts';
import { type AnyService, accessOf } from '../../src/calls/call.ts';
import { demandAppend } from '../../src/calls/permission.ts';
import type { PolicyRejection } from '../../src/policy/index.ts';
import { issueFor, recordTask } from '../authority/support.ts';
import { contextOf, share, startKeyManager } from '../support/key-manager.ts';
import { authorizerFor } from '../support/policy.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { JTI, WID } from '../support/tokens.ts';

const AUDIENCE = 'urn:example:reader';
const refusals: PolicyRejection[] = [];
let context: AuthorityContext;
let services: readonly AnyService[];
let token: string;
let size: number;
let server: TestServer;
let close: () => unknown;
const authorizer = authorizerFor('permit (principal, action, resource) when { false };', {
  isAdministrator: () => true,
  refusals,
});

beforeAll(async () => {
  const shared = share();
  const opened = await startKeyManager(shared);
  const { keyManager, ledger } = opened;
  close = () => keyManager.close();
  const own = await contextOf(shared, opened);
  // Before there is a policy.
  await recordTask(own, { jti: JTI, wid: WID });
  token = (await issueFor(own)).token;
  size = (await ledger.checkpoint()).size;
  context = { ...own, authorizer };
  const all = [
    authorityService(context),
    ledgerService(context),
    keyService(context, keyManager),
    adminService(context, keyManager),
  ];
  services = all as readonly AnyService[];
  server = await startTestServer({ services, isAdministrator: () => true, authorizer });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await close?.();
});

/** A request that each method would answer. */
const REQUESTS: Readonly<Record<string, () => object>> = {
  Issue: () => ({ execAct: 'a', aud: [AUDIENCE] }),
  BatchIssue: () => ({ items: [{ request: { execAct: 'a', aud: [AUDIENCE] } }] }),
  Verify: () => ({ token, audience: AUDIENCE, replayMode: 'REPLAY_MODE_SKIP' }),
  BatchVerify: () => ({ items: [{ request: { token, audience: AUDIENCE, replayMode: 'REPLAY_MODE_SKIP' } }] }),
  ValidateDAG: () => ({ wid: WID }),
  AppendLedger: () => ({ token }),
  BatchAppendLedger: () => ({ items: [{ request: { token } }] }),
  GetEntry: () => ({ task: { jti: JTI, wid: WID } }),
  GetRecording: () => ({ task: { jti: JTI, wid: WID } }),
  ListEntries: () => ({}),
  GetWorkflow: () => ({ wid: WID }),
  GetCheckpoint: () => ({}),
  GetInclusionProof: () => ({ leafIndex: '0' }),
  GetConsistencyProof: () => ({ firstTreeSize: '1' }),
  MarkCompromised: () => ({ task: { jti: JTI, wid: WID } }),
  ListKeys: () => ({}),
  RotateKey: () => ({}),
  RetireKey: () => ({ kid: 'unknown' }),
  RevokeKey: () => ({ kid: 'unknown' }),
};

/** What each is rejected with: of what is read, as if it were not there. */
const REFUSED: Readonly<Record<string, string>> = {
  GetEntry: 'ENTRY_NOT_FOUND',
  GetRecording: 'ENTRY_NOT_FOUND',
  GetInclusionProof: 'ENTRY_NOT_FOUND',
  GetWorkflow: 'WORKFLOW_NOT_FOUND',
  ValidateDAG: 'WORKFLOW_NOT_FOUND',
  ListEntries: 'nothing',
};

function methodsOf(): readonly (readonly [string, string])[] {
  return services.flatMap(({ descriptor, ...service }) =>
    descriptor.methods
      .filter(({ localName }) => accessOf({ descriptor, ...service }, localName) !== 'public')
      .map(({ name }) => [`${descriptor.typeName}/${name}`, name] as const),
  );
}

type Post = (url: string, body: string) => Promise<unknown>;

/** By the Connect router. */
const postHttp1: Post = async (url, body) => {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return answer.json();
};

/** By the fast path for unary calls. */
const postHttp2: Post = async (url, body) => {
  const { origin, pathname } = new URL(url);
  const session = connect(origin);
  try {
    const stream = session.request({ ':method': 'POST', ':path': pathname, 'content-type': 'application/json' });
    stream.end(body);
    return await json(stream);
  } finally {
    session.close();
  }
};

/** Calls a method. Answers the reason that it, or its only item, is rejected with. */
async function outcomeOf(path: string, request: object, url: string, post: Post = postHttp1): Promise<string> {
  const body = (await post(`${url}/${path}`, JSON.stringify(request))) as {
    readonly details?: readonly { readonly debug?: { readonly reason?: string }; readonly value: string }[];
    readonly results?: readonly { readonly error?: { readonly details: readonly { readonly reason: string }[] } }[];
    readonly entries?: readonly unknown[];
  };
  const [detail] = body.details ?? [];
  if (detail !== undefined)
    return /[A-Z]+(?:_[A-Z]+)+/.exec(Buffer.from(detail.value, 'base64').toString('latin1'))?.[0] ?? '';
  const error = body.results?.[0]?.error;
  if (error !== undefined) return error.details[0]?.reason ?? '';
  return body.entries?.length === 0 ? 'nothing' : 'OK';
}

describe('T27 A10 a policy that permits nothing', () => {
  test('T27 no method is forgotten: each that is not public is rejected, on both transports of unary calls', async () => {
    const methods = methodsOf();
    expect(methods.map(([, name]) => name).toSorted()).toEqual(Object.keys(REQUESTS).toSorted());
    for (const [path, name] of methods) {
      for (const post of [postHttp1, postHttp2]) {
        const outcome = await outcomeOf(path, REQUESTS[name]!(), server.server.url, post);
        expect(outcome, name).toBe(REFUSED[name] ?? 'NOT_AUTHORIZED');
      }
    }
  });

  test('the ledger and the keys are as they were', async () => {
    expect((await context.ledger.checkpoint()).size).toBe(size);
  });

  test('the event names the caller and the action, and that no policy permits it; the caller learns neither', async () => {
    refusals.length = 0;
    const answer = await fetch(`${server.server.url}/ect.v1.AuthorityService/Issue`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(REQUESTS['Issue']!()),
    });
    expect(answer.status).toBe(403);
    const { code, message } = (await answer.json()) as { readonly code: string; readonly message: string };
    expect(code).toBe('permission_denied');
    expect(message).toMatch(/^The policy of this service does not permit this call\. Ask the operator/);
    expect(refusals).toEqual([
      {
        caller: { kind: 'anonymous' },
        question: expect.objectContaining({ action: 'Issue' }),
        decision: { allowed: false, policies: [], errors: [], digest: 'test' },
      },
    ]);
  });
});

describe('a policy that permits everything', () => {
  test('changes nothing', async () => {
    const permissive = authorizerFor('permit (principal, action, resource);', { isAdministrator: () => true });
    const open = { ...context, authorizer: permissive };
    await using other = await startTestServer({
      services: [authorityService(open), ledgerService(open)] as readonly AnyService[],
      isAdministrator: () => true,
      authorizer: permissive,
    });
    const administered = ['MarkCompromised', 'ListKeys', 'RotateKey', 'RetireKey', 'RevokeKey'];
    for (const [path, name] of methodsOf().filter(([, method]) => !administered.includes(method))) {
      expect(await outcomeOf(path, REQUESTS[name]!(), other.server.url), name).toBe('OK');
    }
  });

  test('T27 permits no issuer for which no key of ours is trusted', async () => {
    const permissive = authorizerFor('permit (principal, action, resource);');
    const open = { ...context, authorizer: permissive };
    await expect(issueFor(open, { iss: 'https://stranger.example' })).rejects.toMatchObject({
      reason: 'ISSUER_NOT_ALLOWED',
    });
  });
});

describe('what a permission to issue is tied to', () => {
  const limits = JSON.stringify({ limits: [{ for: 'everyone', max_ttl_seconds: 120, minimum_level: 'L2' }] });
  const tied = () => ({ ...context, authorizer: authorizerFor('permit (principal, action, resource);', { limits }) });

  test('T27 a token lives no longer than the operator allows; without a ttl it gets just that', async () => {
    const { claims } = await issueFor(tied());
    expect(claims.exp - claims.iat).toBe(120);
    await expect(issueFor(tied(), { ttlSeconds: 121 })).rejects.toMatchObject({
      reason: 'NOT_AUTHORIZED',
      message: expect.stringContaining('120 s'),
    });
    const { claims: longest } = await issueFor(tied(), { ttlSeconds: 120 });
    expect(longest.exp - longest.iat).toBe(120);
  });

  test('T27 a token is not below the level that the operator demands', async () => {
    await expect(issueFor(tied(), { level: 'L1' })).rejects.toMatchObject({ reason: 'NOT_AUTHORIZED' });
  });
});

test('of a token that is too long to be accepted nothing is read for a policy', () => {
  const asked: unknown[] = [];
  const recording = { ...context, authorizer: recorderOf(asked) };
  const { maxTokenBytes } = context.policy.token;
  for (const filler of ['', 'x'.repeat(maxTokenBytes)]) {
    demandAppend(recording, { kind: 'anonymous' }, JSON.stringify({ iss: 'urn:a', filler }));
  }
  expect(asked).toMatchObject([{ iss: 'urn:a' }, { iss: '' }]);
});

/** Permits everything, and keeps the circumstances that it was asked about. */
function recorderOf(asked: unknown[]): Authorizer {
  return {
    authorize: (_caller, { context }) => {
      asked.push(context);
      return { allowed: true, policies: [], errors: [], digest: '' };
    },
    asksFor: () => true,
    obligationsOf: () => ({}),
    isBuiltIn: false,
    digest: '',
    rejected: () => undefined,
  };
}
