// The list of reasons of each method on the API page is complete: every port of the service is made to fail in every way that it may, under
// every method.

import { create, type DescMethodUnary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { METHODS, OF_EVERY_CALL, OF_PROOFS, OF_PROVEN_CALLERS } from '../../scripts/api-methods.ts';
import { adminService } from '../../src/api/admin.ts';
import { authorityService } from '../../src/api/authority.ts';
import { keyService } from '../../src/api/keys.ts';
import { ledgerService } from '../../src/api/ledger.ts';
import { type AuthorityContext, claimProof, Recordings, readPending } from '../../src/authority/index.ts';
import type { AnyService, Call } from '../../src/calls/call.ts';
import { EctError, type ErrorReason, reject } from '../../src/errors.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import type { Status } from '../../src/gen/google/rpc/status_pb.ts';
import {
  MemoryIdempotencyStore,
  MemoryLedgerStore,
  MemoryPendingRecordings,
  MemoryReplayGuard,
} from '../../src/stores/memory/index.ts';
import { issueFor, PARTY } from '../authority/support.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { makeLocalSigner, share, startKeyManager } from '../support/key-manager.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';

const caller = workload('spiffe://example.org/a');
const CALL: Call = { method: 'test', caller, signal: new AbortController().signal, note: () => undefined };

/** What each port may fail with, as it says where it is declared. */
const PORTS = {
  ledger: ['LEDGER_UNAVAILABLE', 'LEDGER_CORRUPT', 'STORAGE_FULL'],
  replay: ['REPLAY_GUARD_UNAVAILABLE', 'REPLAY_GUARD_FULL', 'ONCE_CORRUPT', 'STORAGE_FULL'],
  idempotency: ['IDEMPOTENCY_UNAVAILABLE', 'ONCE_CORRUPT', 'STORAGE_FULL'],
  pending: ['QUOTA_EXCEEDED', 'SERVICE_OVERLOADED', 'LEDGER_UNAVAILABLE', 'ONCE_CORRUPT', 'STORAGE_FULL'],
  writes: ['QUOTA_EXCEEDED', 'STORAGE_FULL'],
  signers: ['SIGNER_UNAVAILABLE', 'SIGNER_BUSY', 'SIGNER_MISCONFIGURED', 'SIGNER_BAD_OUTPUT'],
  roots: ['SIGNER_UNAVAILABLE', 'SIGNER_BUSY', 'SIGNER_MISCONFIGURED', 'SIGNER_BAD_OUTPUT'],
  clock: ['CLOCK_UNTRUSTED'],
  forgotten: ['CLOCK_UNTRUSTED'],
} as const satisfies Readonly<Record<string, readonly ErrorReason[]>>;
type Port = keyof typeof PORTS;

/** The port that fails now, and how. */
let failing: { readonly port: Port; readonly error: EctError } | undefined;

function errorOf(port: Port): EctError | undefined {
  return failing?.port === port ? failing.error : undefined;
}

/** Methods that write. The others fail with nothing that only a write can fail with. */
const WRITES: ReadonlySet<string | symbol> = new Set(['commit', 'claim', 'remember', 'add', 'demand', 'take', 'stamp']);
const OF_WRITES: ReadonlySet<ErrorReason> = new Set([
  'STORAGE_FULL',
  'QUOTA_EXCEEDED',
  'SERVICE_OVERLOADED',
  'CLOCK_UNTRUSTED',
  'REPLAY_GUARD_FULL',
]);

/** The port with methods that fail when it is its turn. `isSync`: they throw, instead of being rejected. */
function faulty<T extends object>(port: Port, inner: T, isSync = false): T {
  return new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const error = name === 'close' ? undefined : errorOf(port);
        const isPassed = error === undefined || (OF_WRITES.has(error.reason) && !WRITES.has(name));
        if (isPassed) return Reflect.apply(member, target, args);
        if (isSync) throw error;
        return Promise.reject(error);
      };
    },
  });
}

async function makeServices() {
  // An entry is dated when it is committed.
  const shared = share(faulty('clock', faulty('ledger', new MemoryLedgerStore())));
  const { clock } = shared;
  const { keyManager, ledger, ring } = await startKeyManager(shared, {
    policy: { speaksFor: () => true },
    ports: {
      locatorOf: (name) => `test:${name}`,
      openRoot: async (locator) => {
        const error = errorOf('roots');
        if (error !== undefined) throw error;
        return (await shared.cupboard.make(locator)).signer;
      },
      makeRoot: async (generation) => {
        const error = errorOf('roots');
        if (error !== undefined) throw error;
        return { signer: await makeLocalSigner(), locator: `test:${generation}` };
      },
    },
  });
  const { context: base } = await makeAuthority();
  const pending = faulty('pending', new MemoryPendingRecordings());
  const context: AuthorityContext = {
    ...base,
    ledger,
    keys: ring,
    ownKeys: keyManager,
    signers: {
      for: (...task) => {
        const signer = keyManager.for(...task);
        return { jwk: signer.jwk, sign: (...input) => faulty('signers', signer).sign(...input) };
      },
    },
    recordings: new Recordings({
      pendingRecordings: pending,
      ledger,
      notices: base.notices,
      earliest: clock.earliest,
      reread: (recording) => readPending(context, recording),
      leaseMs: 0,
    }),
    replay: faulty('replay', new MemoryReplayGuard(1000)),
    idempotency: faulty('idempotency', new MemoryIdempotencyStore(1000)),
    writes: faulty('writes', { demand: () => undefined, take: () => undefined, refund: () => undefined }, true),
    now: clock.now,
    stamp: () => faulty('clock', clock, true).stamp(),
    earliest: clock.earliest,
    // The clock was set back: what expires now may have been used.
    forgotten: () => (errorOf('forgotten') === undefined ? clock.forgotten() : Number.MAX_SAFE_INTEGER),
  };
  const services: readonly AnyService[] = [
    authorityService(context),
    ledgerService(context),
    keyService(context, keyManager),
    adminService(context, keyManager),
  ];
  return { services, context, keyManager };
}

let service: Awaited<ReturnType<typeof makeServices>>;
/** One that is not recorded. */
let token = '';
/** Anew for each reason: what one call has changed is no reason of the next one. */
async function startAnew(): Promise<void> {
  service = await makeServices();
  const { context, keyManager } = service;
  onTestFinished(() => keyManager.close());
  await issueFor(context, { wid: WID, jti: JTI, level: 'L3' }, caller);
  ({ token } = await issueFor(context, { wid: WID, jti: OTHER_JTI }, caller));
}

let count = 0;
/** Requests that reach as many ports as the method has, in the shape of `create`. Each is a new one. */
function requestsOf(method: string): readonly object[] {
  const requestId = `request-${count++}-of-more-than-22-characters`;
  const issue = { execAct: 'x', aud: [PARTY], wid: WID };
  const issued = [
    { ...issue, requestId },
    { ...issue, pred: [JTI], level: 3, requestId: `${requestId}3` },
    { ...issue, level: 3, recordMode: 2 },
    { ...issue, level: 3, dryRun: true },
  ];
  const verified = [
    { token, audience: PARTY, requestId },
    { token, audience: PARTY, dagMode: 3, verifyMode: 2 },
  ];
  const appended = [{ token }, { token, dryRun: true }];
  const name = { wid: WID, jti: JTI };
  const { kid } = service.keyManager.all[0]!;
  const all: Readonly<Record<string, readonly object[]>> = {
    Issue: issued,
    BatchIssue: [{ requestId, items: issued.map((request) => ({ request })) }],
    Verify: verified,
    BatchVerify: [{ requestId, items: verified.map((request) => ({ request })) }],
    ValidateDAG: [
      { subject: { case: 'token', value: token } },
      { subject: { case: 'wid', value: WID } },
      { subject: { case: 'bundle', value: { tokens: [token] } } },
    ],
    AppendLedger: appended,
    BatchAppendLedger: [{ items: appended.map((request) => ({ request })) }],
    GetEntry: [
      { name: { case: 'task', value: name } },
      { name: { case: 'index', value: 0n } },
      { name: { case: 'task', value: { wid: WID, jti: OTHER_JTI } } },
    ],
    GetRecording: [{ task: name }, { task: { wid: WID, jti: OTHER_JTI } }],
    ListEntries: [{}, { wid: WID, withContent: true }],
    GetWorkflow: [{ wid: WID }],
    GetInclusionProof: [{ leafIndex: 0n }],
    GetConsistencyProof: [{ firstTreeSize: 1n }],
    ListKeys: [{ past: true }],
    RotateKey: [{ requestId, urgent: true }, { source: { case: 'existing', value: { name: `k${count}` } } }],
    RetireKey: [{ kid }],
    RevokeKey: [{ kid }],
    MarkCompromised: [{ subject: { case: 'task', value: name } }, { subject: { case: 'kid', value: 'K'.repeat(43) } }],
  };
  return all[method] ?? [{}];
}

/** The reason why a call of the method fails, and those of its items. */
async function failures(found: AnyService, method: DescMethodUnary, request: object) {
  try {
    const answer = (await found.procedures[method.localName]?.(
      create(method.input, request as Record<string, unknown>) as never,
      CALL,
    )) as {
      readonly results?: readonly { readonly result: { readonly case: string; readonly value: Status } }[];
    };
    const items = (answer.results ?? []).filter(({ result }) => result.case === 'error');
    return { call: undefined, items: items.map(({ result }) => reasonIn(result.value)) };
  } catch (error) {
    if (!(error instanceof EctError)) throw error;
    return { call: error.reason as string, items: [] as string[] };
  }
}

function reasonIn({ details }: Status): string {
  return details.map((detail) => anyUnpack(detail, ErrorInfoSchema)?.reason).find(Boolean) ?? '';
}

const METADATA = { difference_seconds: '1', retry_after_seconds: '1', quota: 'q', limit: '1' };

describe('a call fails for no other reason than the API page has for its method', () => {
  const ports = Object.entries(PORTS) as readonly [Port, readonly ErrorReason[]][];
  test.each(ports)('when a port fails: %s', async (port, reasons) => {
    const seen = new Set<string>();
    for (const reason of reasons) {
      const error = new EctError(reject(reason as 'QUOTA_EXCEEDED', 'It fails.', METADATA));
      await startAnew();
      for (const found of service.services) {
        for (const method of found.descriptor.methods as readonly DescMethodUnary[]) {
          const facts = METHODS[method.name]!;
          const every = [...OF_EVERY_CALL, ...(facts.caller === 'public' ? [] : OF_PROVEN_CALLERS)];
          for (const request of requestsOf(method.name)) {
            failing = { port, error };
            const { call, items } = await failures(found, method, request).finally(() => {
              failing = undefined;
            });
            if (call === reason || items.includes(reason)) seen.add(reason);
            const one = METHODS[method.name.replace(/^Batch/, '')]!;
            if (call !== undefined) expect([...every, ...facts.reasons], method.name).toContain(call);
            for (const item of items) expect([...every, ...one.reasons], `${method.name} (item)`).toContain(item);
          }
        }
      }
    }
    // Otherwise the test would show nothing.
    expect([...seen].toSorted()).toEqual([...new Set(reasons)].toSorted());
  });

  test('nor before it, where the use of the proof of its caller is stored', async () => {
    await startAnew();
    const use = { jti: 'j', expires: service.context.now() + 60, issuedAfter: 0, digest: new Uint8Array(32) };
    const listed: readonly string[] = [...OF_EVERY_CALL, ...OF_PROVEN_CALLERS, ...OF_PROOFS];
    const seen = new Set<string>();
    for (const port of ['replay', 'writes', 'forgotten'] as const) {
      for (const reason of PORTS[port]) {
        failing = { port, error: new EctError(reject(reason as 'QUOTA_EXCEEDED', 'It fails.', METADATA)) };
        const claimed = claimProof(service.context, service.context.replay!, caller, use);
        const failed = await claimed.catch((error: unknown) => error as EctError);
        failing = undefined;
        expect(listed).toContain((failed as EctError).reason);
        seen.add((failed as EctError).reason);
      }
    }
    expect([...seen].toSorted()).toEqual(['QUOTA_EXCEEDED', ...OF_PROOFS].toSorted());
  });
});
