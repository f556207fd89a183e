// The types of calls, procedures and services, for every protocol.

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { Caller } from '../authority/index.ts';
import type { ErrorReason } from '../errors.ts';

/** The context of one call. */
export interface Call {
  /** `ect.v1.AuthorityService/Issue`. */
  readonly method: string;
  readonly caller: Caller;
  /** The digest of the policy that permits the call; undefined if the procedure checks the permission itself, or if none is needed. */
  readonly policy?: string | undefined;
  /** Aborted when the deadline has passed, the caller has cancelled, or the service stops waiting. */
  readonly signal: AbortSignal;
  /** Records the reason of a negative response (an invalid verdict) for the event of the call. */
  note(reason: ErrorReason): void;
}

/** A unary procedure. Rejects by throwing EctError; any other error is a bug (INTERNAL). */
export type Procedure<M extends DescMethodUnary = DescMethodUnary> = (
  request: MessageShape<M['input']>,
  call: Call,
) => Promise<MessageInitShape<M['output']>> | MessageInitShape<M['output']>;

/** A streaming procedure. Rejects by throwing EctError, also between two responses. */
export type StreamProcedure<M extends DescMethod> =
  M extends DescMethodServerStreaming<infer I, infer O>
    ? (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O>>
    : M extends DescMethodBiDiStreaming<infer I, infer O>
      ? (requests: AsyncIterable<MessageShape<I>>, call: Call) => AsyncIterable<MessageInitShape<O>>
      : never;

/** A service and its procedures: everything that a transport needs to serve it. */
export interface Service<S extends DescService = DescService> {
  readonly descriptor: S;
  readonly procedures: {
    readonly [K in keyof S['method'] as S['method'][K] extends DescMethodUnary ? K : never]: Procedure<
      Extract<S['method'][K], DescMethodUnary>
    >;
  };
  readonly streams?: {
    readonly [K in keyof S['method'] as S['method'][K] extends DescMethodUnary ? never : K]: StreamProcedure<
      S['method'][K]
    >;
  };
  /** Who may call it: authenticated callers, everyone (keys), or only administrators. */
  readonly access: Access;
  /** Methods (local names) that are public although the service is not. */
  readonly published?: readonly string[];
  /** Methods (local names) whose procedures check the permission themselves, because they find the object of the call first. */
  readonly asksItself?: readonly string[];
  /** The CPU cost of a call of a method (local name) whatever the size of its request, relative to a small call; 1 by default. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Largest request message in bytes, by method (local name); `*` is the default. */
  readonly maxRequestBytes: Readonly<Record<string, number>> & { readonly '*': number };
  /**
   * An upper bound of the response in bytes, for methods (local names) with large responses. Memory for it is reserved before the
   * procedure runs. Other responses have a few kilobytes.
   */
  readonly answerBytes?: {
    readonly [K in keyof S['method']]?: S['method'][K] extends DescMethodUnary
      ? (request: MessageShape<S['method'][K]['input']>, call: Call) => number | Promise<number>
      : never;
  };
}

/** Any service: `Service<S>` for every `S`. */
export interface AnyService {
  readonly descriptor: DescService;
  readonly procedures: Readonly<Record<string, (request: never, call: Call) => unknown>>;
  readonly streams?: Readonly<Record<string, (request: never, call: Call) => AsyncIterable<unknown>>>;
  readonly access: Access;
  readonly published?: readonly string[];
  readonly asksItself?: readonly string[];
  readonly weights?: Readonly<Record<string, number>>;
  readonly maxRequestBytes: Readonly<Record<string, number>> & { readonly '*': number };
  readonly answerBytes?: Readonly<
    Record<string, ((request: never, call: Call) => number | Promise<number>) | undefined>
  >;
}

/** Who may call a method. */
export type Access = 'public' | 'callers' | 'admin';

export function accessOf({ access, published }: AnyService, localName: string): Access {
  return published?.includes(localName) === true ? 'public' : access;
}
