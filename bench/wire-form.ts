// How a call is written over HTTP/2: by which content type, in which bytes, and how its answer shows that all went well.

import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import { IssueRequestSchema } from '../src/gen/ect/v1/authority_pb.ts';

const FRAME_HEADER_BYTES = 5;

export interface WireForm {
  readonly name: string;
  readonly contentType: string;
  /** The body of a request, from its gRPC frame. */
  body(frame: Buffer): Buffer;
  /** Whether such an answer is good. */
  isGood(answer: WireAnswer): boolean;
}

export interface WireAnswer {
  readonly status: number;
  /** Of headers or trailers. */
  readonly grpcStatus: string | undefined;
  readonly body: Buffer;
}

export const GRPC: WireForm = {
  name: 'gRPC',
  contentType: 'application/grpc',
  body: (frame) => frame,
  isGood: ({ grpcStatus }) => grpcStatus === '0',
};

/** Those of Issue that are not plain gRPC. */
export const OTHER_FORMS: readonly WireForm[] = [
  {
    name: 'Connect',
    contentType: 'application/proto',
    body: (frame) => frame.subarray(FRAME_HEADER_BYTES),
    isGood: ({ status }) => status === 200,
  },
  {
    name: 'Connect JSON',
    contentType: 'application/json',
    body: (frame) =>
      Buffer.from(toJsonString(IssueRequestSchema, fromBinary(IssueRequestSchema, frame.subarray(FRAME_HEADER_BYTES)))),
    isGood: ({ status }) => status === 200,
  },
  {
    name: 'gRPC-Web',
    contentType: 'application/grpc-web+proto',
    body: (frame) => frame,
    isGood: ({ body }) => /grpc-status: ?0\r/i.test(body.toString('latin1')),
  },
];
