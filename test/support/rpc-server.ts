// A real server on a free port with small services. Their procedures do what the request asks for: answer, reject, fail or hang. The
// lines of the log are kept.

import { anonymousCallers } from '../../src/callers/identify.ts';
import type { Call, Service } from '../../src/calls/call.ts';
import { EctError, reject } from '../../src/errors.ts';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyService } from '../../src/gen/ect/v1/keys_pb.ts';
import { createEvents, type Events } from '../../src/telemetry/events.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/transport/server.ts';

export type Line = Readonly<Record<string, unknown>>;

export interface TestServer extends AsyncDisposable {
  readonly server: RunningServer;
  readonly events: Events;
  /** Every line so far. */
  readonly lines: readonly Line[];
  /** The `call` lines so far. */
  calls(): readonly Line[];
  /** The context of each call that reached `Issue`, in order. */
  readonly seen: readonly Call[];
  /** Lets the calls that wait answer. */
  release(): void;
}

export const MAX_REQUEST_BYTES = 4096;

/** Starts the server. `exec_act` selects what `Issue` does: `bug`, `reject`, `hang`, `wait`; otherwise it answers. */
export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const events = createEvents({ level: 'debug', destination });
  const seen: Call[] = [];
  const waiting = Promise.withResolvers<void>();
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    services: [keyService(), adminService(), authorityService(seen, waiting.promise)],
    identify: anonymousCallers(),
    events,
    jwks: () => '{"keys":[]}',
    ready: () => ({ ledger: true }),
    watchIntervalMs: 10,
    ...options,
  });
  return {
    server,
    events,
    lines,
    seen,
    calls: () => lines.filter((line) => line['event'] === 'call'),
    release: () => waiting.resolve(),
    async [Symbol.asyncDispose]() {
      await server.drain(0);
      events.close();
    },
  };
}

function keyService(): Service<typeof KeyService> {
  return {
    descriptor: KeyService,
    access: 'public',
    maxRequestBytes: { '*': MAX_REQUEST_BYTES },
    procedures: {
      getKeySet: (_request, call) => ({ jwksJson: JSON.stringify(call.caller) }),
    },
  };
}

function adminService(): Service<typeof AdminService> {
  return {
    descriptor: AdminService,
    access: 'admin',
    maxRequestBytes: { '*': MAX_REQUEST_BYTES },
    procedures: {
      listKeys: () => ({}),
      rotateKey: () => ({}),
      retireKey: () => ({}),
      revokeKey: () => ({}),
      markCompromised: () => ({}),
    },
  };
}

function authorityService(seen: Call[], waiting: Promise<void>): Service<typeof AuthorityService> {
  return {
    descriptor: AuthorityService,
    access: 'callers',
    maxRequestBytes: { '*': MAX_REQUEST_BYTES, batchIssue: 2 * MAX_REQUEST_BYTES },
    procedures: {
      getAuthority: () => ({}),
      async issue({ execAct }, call) {
        seen.push(call);
        if (execAct === 'bug') throw new RangeError('eyJhbGciOiJFUzI1NiIsInR5cCI6ImV4ZWMrand0In0 is secret');
        if (execAct === 'refuse')
          throw new EctError(reject('REQUEST_INVALID', 'exec_act is not allowed', { field: 'exec_act' }));
        if (execAct === 'down')
          throw new EctError(reject('LEDGER_UNAVAILABLE', 'the ledger does not answer'), {
            cause: new Error('SQLITE_BUSY'),
          });
        if (execAct === 'hang') await new Promise<never>(() => undefined);
        if (execAct === 'wait') await waiting;
        return { token: `issued for ${call.caller.kind === 'spiffe' ? call.caller.id : call.caller.kind}` };
      },
      batchIssue: () => ({}),
      verify(_request, call) {
        call.note('TOKEN_EXPIRED');
        return { valid: false };
      },
      batchVerify: () => ({}),
      validateDAG: () => ({}),
      appendLedger: () => ({}),
      batchAppendLedger: () => ({}),
    },
  };
}
