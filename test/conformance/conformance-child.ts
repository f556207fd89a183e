// The server that the conformance runner starts: the runner's own service behind our transports. It reads from standard input
// what is asked of it and writes to standard output where it listens, each as one message after its length.
//
// Arguments: the transport (`lean` or `connect`), and the file with the descriptors of the runner's protos.

import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { create, createFileRegistry, fromBinary, type Message, type Registry, toBinary } from '@bufbuild/protobuf';
import { anyPack, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Code } from '@connectrpc/connect';
import { anonymousCallers } from '../../src/callers/identify.ts';
import type { AnyService, Call } from '../../src/calls/call.ts';
import { codeOf } from '../../src/calls/errors.ts';
import { EctError, type ErrorReason, REASONS, reject } from '../../src/errors.ts';
import { createEvents } from '../../src/telemetry/events.ts';
import { startServer } from '../../src/transport/server.ts';

const PACKAGE = 'connectrpc.conformance.v1';
const LENGTH_BYTES = 4;

/** The messages of the runner, as far as this reads them. They are known by their descriptors alone. */
interface ServerRequest extends Message {
  readonly messageReceiveLimit: number;
}
interface UnaryRequest extends Message {
  readonly responseDefinition?: {
    readonly response:
      | { readonly case: 'responseData'; readonly value: Uint8Array }
      | { readonly case: 'error'; readonly value: { readonly code: Code; readonly message?: string } }
      | { readonly case: undefined };
    readonly responseDelayMs: number;
  };
}

const [transport, descriptors = ''] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));

const { messageReceiveLimit } = fromBinary(
  message(registry, 'ServerCompatRequest'),
  await readMessage(),
) as ServerRequest;
const server = await startServer({
  host: '127.0.0.1',
  port: 0,
  services: [conformanceService(registry, messageReceiveLimit || 2 ** 24)],
  identify: anonymousCallers(),
  events: createEvents({ level: 'error' }),
  jwks: () => '{"keys":[]}',
  ready: () => ({}),
  unaryFastPath: transport === 'lean',
});
const { address, port } = server.address;
const schema = message(registry, 'ServerCompatResponse');
writeMessage(toBinary(schema, create(schema, { host: address, port })));
process.once('SIGTERM', () => void server.drain(0).then(() => process.exit(0)));

function conformanceService(from: Registry, maxBytes: number): AnyService {
  const descriptor = from.getService(`${PACKAGE}.ConformanceService`);
  if (descriptor === undefined) throw new TypeError('the descriptors have no ConformanceService');
  const answer = (name: string) => async (request: UnaryRequest, call: Call) => {
    const { responseDefinition: wanted } = request;
    if (wanted !== undefined && wanted.responseDelayMs > 0) {
      await setTimeout(wanted.responseDelayMs, undefined, { signal: call.signal });
    }
    if (wanted?.response.case === 'error') throw errorOf(wanted.response.value);
    const requests = [anyPack(message(from, name), request)];
    const data = wanted?.response.case === 'responseData' ? wanted.response.value : new Uint8Array();
    return { payload: { data, requestInfo: { requests } } };
  };
  const rejectAll = (): never => {
    throw new EctError(reject('METHOD_UNKNOWN', 'not served here'));
  };
  return {
    descriptor,
    access: 'callers',
    maxRequestBytes: { '*': maxBytes },
    procedures: {
      unary: answer('UnaryRequest'),
      idempotentUnary: answer('IdempotentUnaryRequest'),
      unimplemented: rejectAll,
    },
    streams: { serverStream: rejectAll, clientStream: rejectAll, bidiStream: rejectAll },
  };
}

/** One of our reasons that has this code. */
function errorOf({ code, message: text }: { readonly code: Code; readonly message?: string }): EctError {
  const reason = (Object.keys(REASONS) as ErrorReason[]).find((each) => codeOf(each) === code);
  return new EctError({ reason: reason ?? 'INTERNAL', message: text ?? '', metadata: {} });
}

function message(from: Registry, name: string) {
  const found = from.getMessage(`${PACKAGE}.${name}`);
  if (found === undefined) throw new TypeError(`the descriptors have no ${name}`);
  return found;
}

async function readMessage(): Promise<Uint8Array> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    const end = bytes.length < LENGTH_BYTES ? Number.POSITIVE_INFINITY : LENGTH_BYTES + bytes.readUInt32BE(0);
    if (bytes.length >= end) return bytes.subarray(LENGTH_BYTES, end);
  }
  throw new TypeError('the runner has asked for nothing');
}

function writeMessage(bytes: Uint8Array): void {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}
