// Whatever a call waits in, its work runs in the async context in which the call came: a trace that begins with its headers is there
// until its event, and no call runs in the trace of another one.

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorityService } from '../../src/api/authority.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { type AuthorityContext, issue } from '../../src/authority/index.ts';
import { anonymousCallers } from '../../src/callers/identify.ts';
import { AuthorityService, IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { createEvents, type Events } from '../../src/telemetry/events.ts';
import { peekClaims } from '../../src/token/index.ts';
import { type RunningServer, startServer } from '../../src/transport/server.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD } from '../support/tokens.ts';

/** What a tracer keeps: the name of the call. */
const trace = new AsyncLocalStorage<string | undefined>();

const TRANSPORTS = [
  ['the unary gRPC fast path', { unaryFastPath: true, http2: 'engine' }],
  ['the Connect router', { unaryFastPath: false, http2: 'engine' }],
  ["the Connect router behind Node's HTTP/2", { unaryFastPath: false, http2: 'node' }],
] as const;
/** More than begin in one turn of the event loop, so that most wait for others. */
const CALLS = 60;
const CONNECTIONS = 3;

describe.each(TRANSPORTS)('over %s', (_, transport) => {
  /** In which trace something was done, and in which it belongs. */
  const seen: { readonly what: string; readonly in: string | undefined; readonly of: string | undefined }[] = [];
  /** In which traces entries were committed. */
  const commits: (string | undefined)[] = [];
  const ended: string[] = [];
  let context: AuthorityContext;
  let events: Events;
  let server: RunningServer;

  beforeAll(async () => {
    const store = new MemoryLedgerStore();
    const commit = store.commit.bind(store);
    store.commit = (...args) => {
      commits.push(trace.getStore());
      return commit(...args);
    };
    ({ context } = watched((await makeAuthority(store)).context));
    events = createEvents({ level: 'silent' });
    const callFinished: Events['callFinished'] = (call) => {
      ended.push(`${call.method} ${trace.getStore()}`);
      events.callFinished(call);
    };
    server = await startServer({
      host: '127.0.0.1',
      port: 0,
      services: [authorityService(context)],
      identify: anonymousCallers(),
      authenticate: (presented) => {
        // As a tracer does that finds `traceparent`.
        trace.enterWith(presented.header('x-trace')[0]);
        return { kind: 'anonymous' };
      },
      events: { ...events, callFinished },
      jwks: () => '{"keys":[]}',
      ready: () => ({ ledger: true }),
      ...transport,
    });
  });
  afterAll(async () => {
    await server.drain(0);
    events.close();
  });

  /** The parts, which tell in whose trace a signature is made and the use of a token is remembered. */
  function watched(of: AuthorityContext): { readonly context: AuthorityContext } {
    const signer = of.signers.for('', '');
    const sign: typeof signer.sign = (input, deadline) => {
      const { wid } = peekClaims(`${Buffer.from(input).toString()}.`);
      seen.push({ what: 'signature', in: trace.getStore(), of: wid });
      return signer.sign(input, deadline);
    };
    const { replay } = of;
    const claim: NonNullable<typeof replay>['claim'] = (use, ...rest) => {
      seen.push({ what: 'use', in: trace.getStore(), of: use.requestId.split(' ')[1] });
      return replay!.claim(use, ...rest);
    };
    const guard = { claim, look: replay!.look.bind(replay), close: replay!.close.bind(replay) };
    return { context: { ...of, signers: { for: () => ({ jwk: signer.jwk, sign }) }, replay: guard } };
  }

  test('each call of many at once keeps its own context from its headers to its event', async () => {
    const tokens = await Promise.all(Array.from({ length: 2 * CALLS }, () => mintToken(context)));
    seen.length = 0;
    const clients = Array.from({ length: CONNECTIONS }, () =>
      createClient(AuthorityService, createGrpcTransport({ baseUrl: server.url })),
    );
    const made: string[] = [];
    const named = (method: string) => {
      const name = randomUUID();
      made.push(`ect.v1.AuthorityService/${method} ${name}`);
      return [name, { headers: { 'x-trace': name } }] as const;
    };
    const order = (wid: string, level: Level) => ({ execAct: 'review', aud: [AUD], wid, level });
    const calls = Array.from({ length: CALLS }, (_unused, at) => {
      const client = clients[at % CONNECTIONS]!;
      const issues = [Level.L1, Level.L2, Level.L3].map((level) => {
        const [wid, options] = named('Issue');
        return client.issue(order(wid, level), options);
      });
      const [requestId, ofVerify] = named('Verify');
      const [, ofAppend] = named('AppendLedger');
      const [wid, ofBatch] = named('BatchIssue');
      const items = ['a', 'b', 'c'].map((reference) => ({ reference, request: order(wid, Level.L2) }));
      return [
        ...issues,
        client.verify({ token: tokens[at]!, audience: AUD, requestId }, ofVerify),
        client.appendLedger({ token: tokens[CALLS + at]! }, ofAppend),
        client.batchIssue({ items }, ofBatch),
      ];
    });
    await Promise.all(calls.flat());

    expect(seen.filter(({ in: actual, of }) => actual !== of)).toEqual([]);
    expect(Object.groupBy(seen, ({ what }) => what)).toMatchObject({
      signature: { length: 5 * CALLS },
      use: { length: CALLS },
    });
    expect(ended.toSorted()).toEqual(made.toSorted());
    // A commit is work for many calls, and belongs to none of them.
    expect(commits.length).toBeGreaterThan(0);
    expect(commits.filter((name) => name !== undefined)).toEqual([]);
  });
});

async function mintToken(context: AuthorityContext): Promise<string> {
  const input = readIssueInput(create(IssueRequestSchema, { execAct: 'review', aud: [AUD] }));
  return (await issue(context, { kind: 'anonymous' }, input, new AbortController())).token;
}
