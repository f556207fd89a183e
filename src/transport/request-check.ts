// Checks the headers of a request before its body is read, decompressed or parsed: who the caller is, and whether it may call. Every
// transport uses it except the unary fast path, which does the same itself.

import type { Socket } from 'node:net';
import type { Caller } from '../authority/index.ts';
import type { Rejection } from '../calls/call-admission.ts';
import type { Calls } from '../calls/calls.ts';
import { type Method, pathOf } from '../calls/method-table.ts';
import type { PresentedCall, Protocol } from '../calls/open-call.ts';
import type { EctError } from '../errors.ts';
import { PUBLIC_COST_MS } from '../limits/index.ts';
import type { RequestLine } from './request-line.ts';
import { wireFormOf } from './wire-errors.ts';

export interface RequestCheck {
  /** Returns the caller of an accepted request, or why it is rejected. Called once for each request, because a proof may be used once. */
  judge(request: RequestLine, socket: Socket): Caller | Rejection;
  /** The same for a request without a proof that costs as little as a page, whatever its path. */
  judgePublic(request: RequestLine, socket: Socket): Caller | Rejection;
  /** Rejects a request with this error. */
  forbid(request: RequestLine, socket: Socket, error: EctError): Rejection;
  /** Whether the path of a request is a method; otherwise it is a page or unknown. */
  isMethod(request: RequestLine): boolean;
  /** Records that an accepted request was cancelled before work was started for it. */
  abandoned(request: RequestLine, socket: Socket): void;
}

export function createRequestCheck(methods: ReadonlyMap<string, Method>, calls: Calls): RequestCheck {
  return {
    judge: (line, socket) => {
      const method = methods.get(pathOf(line.target));
      // Pages and unknown paths are public.
      if (method === undefined) return calls.judge(arrivalOf('unknown', line, socket), 'public', PUBLIC_COST_MS.page);
      return calls.judge(arrivalOf(method.name, line, socket), method.access, PUBLIC_COST_MS.router, method.kind);
    },
    judgePublic: (line, socket) => calls.judge(arrivalOf('unknown', line, socket), 'public', PUBLIC_COST_MS.page),
    forbid: (line, socket, error) => {
      const method = methods.get(pathOf(line.target))?.name ?? 'unknown';
      return calls.forbid(arrivalOf(method, line, socket), error);
    },
    isMethod: ({ target }) => methods.has(pathOf(target)),
    abandoned: (line, socket) => {
      const method = methods.get(pathOf(line.target));
      if (method !== undefined) calls.abandoned(arrivalOf(method.name, line, socket));
    },
  };
}

/** Describes a request as a call of this method. */
function arrivalOf(method: string, line: RequestLine, socket: Socket): PresentedCall {
  const { method: httpMethod = '', target, contentType, header } = line;
  return { method, protocol: protocolOf(contentType), socket, header, httpMethod, path: pathOf(target) };
}

export function protocolOf(contentType: string | undefined): Protocol {
  const form = wireFormOf(contentType);
  return form === 'grpc' || form === 'grpc-web' ? form : 'connect';
}
