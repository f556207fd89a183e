// Adds a google.rpc.ErrorInfo to every error. Our own errors have one; the errors that the Connect runtime creates for requests that it
// cannot read (framing, compression, sizes, schema) have none. So each response is examined before it is sent, in the form of its
// protocol, and an error without details is replaced.

import { Code } from '@connectrpc/connect';
import { createAsyncIterable, readAllBytes, type UniversalServerResponse } from '@connectrpc/connect/protocol';
import { codeFromString, codeToHttpStatus, endStreamFlag } from '@connectrpc/connect/protocol-connect';
import { trailerFlag, trailerParse } from '@connectrpc/connect/protocol-grpc-web';
import { codeOf } from '../../calls/errors.ts';
import type { EctError } from '../../errors.ts';
import {
  connectEndFrame,
  connectErrorBody,
  encodeGrpcMessage,
  grpcWebTrailerFrame,
  setGrpcTrailer,
  wireFormOf,
} from '../wire-errors.ts';

const STATUS = 'grpc-status';
const MESSAGE = 'grpc-message';
const DETAILS = 'grpc-status-details-bin';
const ENVELOPE_BYTES = 5; // flags, then the length

/** Converts an error of the runtime to one of ours. Called at most once a call. */
export type Explain = (code: Code, text: string) => EctError;

/** The same response, with an ErrorInfo if it is an error. */
export async function explainFailure(
  response: UniversalServerResponse,
  explain: Explain,
): Promise<UniversalServerResponse> {
  const { body, trailer } = response;
  if (body === undefined) return response;
  switch (wireFormOf(response.header?.get('content-type'))) {
    case 'grpc':
      return trailer === undefined ? response : { ...response, body: withGrpcTrailer(body, trailer, explain) };
    case 'grpc-web':
      return { ...response, body: withLastFrame(body, trailerFlag, (data) => grpcWebFailure(data, explain)) };
    case 'connect-stream':
      return { ...response, body: withLastFrame(body, endStreamFlag, (data) => connectStreamFailure(data, explain)) };
    default:
      return response.status === 200 ? response : connectUnaryFailure(response, body, explain);
  }
}

// The runtime sets the trailer when the body has ended. It percent-encodes more of the message than gRPC requires, and some clients show
// that text to people, so the message of our own errors is written again too.
async function* withGrpcTrailer(body: AsyncIterable<Uint8Array>, trailer: Headers, explain: Explain) {
  yield* body;
  const failure = grpcFailure(trailer, explain);
  const message = trailer.get(MESSAGE);
  if (failure !== undefined) setGrpcTrailer(trailer, failure);
  else if (message !== null) trailer.set(MESSAGE, encodeGrpcMessage(decodeURIComponent(message)));
}

function grpcFailure(trailer: Headers, explain: Explain): EctError | undefined {
  const code = Number(trailer.get(STATUS));
  if (code === 0 || trailer.has(DETAILS)) return undefined;
  return explain(code, decodeURIComponent(trailer.get(MESSAGE) ?? ''));
}

/** The runtime yields one envelope at a time; `replace` may return another one for the last. */
async function* withLastFrame(
  body: AsyncIterable<Uint8Array>,
  flag: number,
  replace: (data: Uint8Array) => Uint8Array | undefined,
) {
  for await (const envelope of body) {
    const isLast = ((envelope[0] ?? 0) & flag) !== 0;
    yield (isLast ? replace(envelope.subarray(ENVELOPE_BYTES)) : undefined) ?? envelope;
  }
}

function grpcWebFailure(data: Uint8Array, explain: Explain): Uint8Array | undefined {
  const failure = grpcFailure(trailerParse(data), explain);
  return failure && grpcWebTrailerFrame(failure);
}

function connectStreamFailure(data: Uint8Array, explain: Explain): Uint8Array | undefined {
  const { error } = JSON.parse(Buffer.from(data).toString()) as { readonly error?: ConnectErrorJson };
  return error === undefined || error.details !== undefined ? undefined : connectEndFrame(explainJson(error, explain));
}

async function connectUnaryFailure(
  response: UniversalServerResponse,
  body: AsyncIterable<Uint8Array>,
  explain: Explain,
): Promise<UniversalServerResponse> {
  // The runtime quotes the request in its messages, including its escapes.
  const bytes = await readAllBytes(body, Number.MAX_SAFE_INTEGER);
  const error = JSON.parse(Buffer.from(bytes).toString()) as ConnectErrorJson;
  if (error.details !== undefined) return { ...response, body: createAsyncIterable([bytes]) };
  const failure = explainJson(error, explain);
  const newBytes = connectErrorBody(failure);
  const header = new Headers(response.header);
  header.set('content-length', String(newBytes.byteLength));
  return { status: codeToHttpStatus(codeOf(failure.reason)), header, body: createAsyncIterable([newBytes]) };
}

interface ConnectErrorJson {
  readonly code?: string;
  readonly message?: string;
  readonly details?: unknown;
}

function explainJson(error: ConnectErrorJson, explain: Explain): EctError {
  return explain(codeFromString(error.code ?? '') ?? Code.Internal, error.message ?? '');
}
