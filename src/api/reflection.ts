// gRPC server reflection, v1 and v1alpha, from the generated descriptors: tools can call the service without its proto files.

import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import type { Call, Service } from '../calls/call.ts';
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts';
import { ServerReflection } from '../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { paced, type StreamRate } from './rate-limited-stream.ts';

/** The request of both versions. Their messages have the same fields in different packages. */
interface Question {
  readonly host: string;
  readonly messageRequest: { readonly case: string | undefined; readonly value?: unknown };
}

type Answer =
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: 'allExtensionNumbersResponse'; value: { baseTypeName: string } }
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'errorResponse'; value: { errorCode: number; errorMessage: string } };

/** Returns both reflection services, which describe these services and themselves. Like the proto files they are public. */
export function createReflection(
  services: readonly DescService[],
  pace: StreamRate = { rate: { burst: 200, perSecond: 50 }, idleMs: 60_000 },
): readonly [Service<typeof ServerReflection>, Service<typeof ServerReflectionAlpha>] {
  const listed = [...services, ServerReflection, ServerReflectionAlpha];
  const answer = createAnswers(listed);
  const common = { access: 'public', maxRequestBytes: { '*': 4096 }, procedures: {} } as const;

  async function* answers<Q extends Question>(requests: AsyncIterable<Q>, { signal }: Call) {
    for await (const request of paced(requests, signal, pace)) {
      const messageResponse = answer(request.messageRequest);
      yield { validHost: request.host, originalRequest: request, messageResponse };
    }
  }

  return [
    {
      ...common,
      descriptor: ServerReflection,
      streams: { serverReflectionInfo: (requests, call) => answers(requests, call) },
    },
    {
      ...common,
      descriptor: ServerReflectionAlpha,
      streams: { serverReflectionInfo: (requests, call) => answers(requests, call) },
    },
  ];
}

function createAnswers(services: readonly DescService[]): (query: Question['messageRequest']) => Answer {
  // No service imports the error details, because they are inside an Any. Tools that print them request their types by name.
  const files = withDependencies([...services.map((service) => service.file), file_google_rpc_error_details]);
  const byName = new Map([...files].map((file) => [file.proto.name, file]));
  const bySymbol = indexSymbols(files);
  const names = services.map((service) => ({ name: service.typeName }));
  const fileAnswer = createFileAnswers();

  return (query) => {
    const name = String(query.value);
    switch (query.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: names } };
      case 'fileByFilename':
        return fileAnswer(byName.get(name));
      case 'fileContainingSymbol':
        return fileAnswer(bySymbol.get(name));
      case 'allExtensionNumbersOfType':
        // These protos declare no extensions.
        if (!bySymbol.has(name)) return notFound();
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName: name } };
      default:
        return notFound();
    }
  };
}

/**
 * Returns a function that lists a file and all its imports, so that one response is enough to build the types. Each file is encoded once.
 */
function createFileAnswers(): (file: DescFile | undefined) => Answer {
  const written = new Map<DescFile, Answer>();
  return (file) => {
    if (file === undefined) return notFound();
    const before = written.get(file);
    if (before !== undefined) return before;
    const fileDescriptorProto = [...withDependencies([file])].map(({ proto }) =>
      toBinary(FileDescriptorProtoSchema, proto),
    );
    const answer: Answer = { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
    written.set(file, answer);
    return answer;
  };
}

function withDependencies(roots: readonly DescFile[]): Set<DescFile> {
  const files = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file)) return;
    files.add(file);
    file.dependencies.forEach(visit);
  };
  roots.forEach(visit);
  return files;
}

/** Returns the full names of messages, enums, services and methods, each with the file that declares it. */
function indexSymbols(files: Iterable<DescFile>): Map<string, DescFile> {
  const symbols = new Map<string, DescFile>();
  for (const file of files) {
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      if (type.kind !== 'service') continue;
      for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file);
    }
  }
  return symbols;
}

function notFound(): Answer {
  return { case: 'errorResponse', value: { errorCode: Code.NotFound, errorMessage: 'not declared here' } };
}
