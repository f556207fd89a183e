// The first look at a request, in every transport but the unary fast path, which does the same by itself: who makes it and
// whether it may, from the headers alone, before its body is read, decompressed or parsed.

import type { Socket } from 'node:net';
import type { EctError } from '../errors.ts';
import { PUBLIC_COST_MS } from '../limits/index.ts';
import type { Calls, Rejection } from './calls.ts';
import { type Method, pathOf } from './method-table.ts';
import type { Protocol } from './open-call.ts';
import { wireFormOf } from './wire-errors.ts';

/** What the headers say. */
export interface RequestLine {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly contentType: string | undefined;
}

export interface Gate {
  /** Answers why a request is rejected; undefined where it may be read. */
  judge(request: RequestLine, socket: Socket): Rejection | undefined;
  /** The same for a request that proves nothing and costs as little as a page, whatever its path. */
  judgePublic(request: RequestLine, socket: Socket): Rejection | undefined;
  /** Rejects a request for this reason. */
  forbid(request: RequestLine, socket: Socket, error: EctError): Rejection;
  /** Whether the path of a request is a method; otherwise it is a page, or nothing. */
  isMethod(request: RequestLine): boolean;
  /** A request that was let through has been cancelled before anything was begun for it. */
  abandoned(request: RequestLine, socket: Socket): void;
}

export function createGate(methods: ReadonlyMap<string, Method>, calls: Calls): Gate {
  return {
    judge: ({ target, contentType }, socket) => {
      const protocol = protocolOf(contentType);
      const method = methods.get(pathOf(target));
      // Pages, and what is not there, are public.
      if (method === undefined) {
        return calls.reject({ method: 'unknown', protocol, socket }, 'public', PUBLIC_COST_MS.page);
      }
      return calls.reject({ method: method.name, protocol, socket }, method.access, PUBLIC_COST_MS.router, method.kind);
    },
    judgePublic: ({ contentType }, socket) =>
      calls.reject({ method: 'unknown', protocol: protocolOf(contentType), socket }, 'public', PUBLIC_COST_MS.page),
    forbid: ({ target, contentType }, socket, error) => {
      const method = methods.get(pathOf(target))?.name ?? 'unknown';
      return calls.forbid({ method, protocol: protocolOf(contentType), socket }, error);
    },
    isMethod: ({ target }) => methods.has(pathOf(target)),
    abandoned: ({ target, contentType }, socket) => {
      const method = methods.get(pathOf(target));
      if (method !== undefined) calls.abandoned({ method: method.name, protocol: protocolOf(contentType), socket });
    },
  };
}

export function protocolOf(contentType: string | undefined): Protocol {
  const form = wireFormOf(contentType);
  return form === 'grpc' || form === 'grpc-web' ? form : 'connect';
}
