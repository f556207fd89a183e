// A service that does what the request asks for: reject for any reason, fail, hang, or answer something impossible.

import type { AnyService, Call, Service } from '../../../src/calls/call.ts';
import { EctError, type ErrorReason, REASONS, type Rejection } from '../../../src/errors.ts';
import { AuthorityService } from '../../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason as Reason } from '../../../src/gen/ect/v1/error_reason_pb.ts';

export const LIMIT = 4096;
export const BATCH_LIMIT = 8192;

/** Calls that reached a procedure, in order. */
export type Reached = Call[];

/** `exec_act` is a reason, `bug`, `hang`, `stuck`, `wait` or `impossible`; anything else is answered by itself. */
export function permissiveService(reached: Reached, waitFor: () => Promise<void> = async () => {}): AnyService {
  const service: Service<typeof AuthorityService> = {
    descriptor: AuthorityService,
    access: 'callers',
    maxRequestBytes: { '*': LIMIT, batchIssue: BATCH_LIMIT },
    procedures: {
      getAuthority: () => ({}),
      async issue({ execAct }, call) {
        reached.push(call);
        if (execAct in REASONS) throw new EctError(rejectionOf(execAct as ErrorReason));
        if (execAct === 'bug') throw new RangeError('eyJhbGciOiJFUzI1NiIsInR5cCI6ImV4ZWMrand0In0 is secret');
        if (execAct === 'hang') await untilAborted(call.signal);
        if (execAct === 'stuck') await new Promise<never>(() => undefined);
        if (execAct === 'wait') await waitFor();
        if (execAct === 'impossible')
          return { receipt: { proof: { case: 'inclusion', value: { leafIndex: 'none' as unknown as bigint } } } };
        return { token: execAct };
      },
      batchIssue: ({ items }) => ({ results: items.map(({ reference }) => ({ reference })) }),
      verify(_request, call) {
        call.note('TOKEN_EXPIRED');
        return { valid: false, finding: { reason: Reason.TOKEN_EXPIRED } };
      },
      batchVerify: () => ({}),
      validateDAG: () => ({}),
      appendLedger: () => ({}),
      batchAppendLedger: () => ({}),
    },
  };
  return service;
}

/** With every fact that the reason has, and with text that needs care on the wire. */
function rejectionOf(reason: ErrorReason): Rejection {
  const facts = Object.fromEntries(REASONS[reason].metadata.map((fact) => [fact, `${fact} of ü € 😀 100 %`]));
  return { reason, message: `rejected: ü € 😀 "quoted", 100 %\r\nnext line ${'x'.repeat(600)}`, metadata: facts };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
