import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { transports } from '../support/rpc-clients.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';

const BUF = join(import.meta.dirname, '../../node_modules/.bin/buf');
const OUR_SERVICES = [
  'ect.v1.AdminService',
  'ect.v1.AuthorityService',
  'ect.v1.KeyService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

let running: TestServer;
let url: string;
beforeAll(async () => {
  running = await startTestServer();
  url = running.server.url;
});
afterAll(() => running[Symbol.asyncDispose]());

/** `buf curl` without a schema: it has only what reflection tells it. */
async function bufCurl(...parameters: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(BUF, ['curl', '--http2-prior-knowledge', ...parameters]);
  return stdout;
}

describe('H16: server reflection', () => {
  test('buf curl lists our services, health and reflection, and nothing else', async () => {
    expect((await bufCurl(url, '--list-services')).trim().split('\n')).toEqual(OUR_SERVICES);
  });

  test('buf curl lists the methods', async () => {
    const methods = (await bufCurl(url, '--list-methods')).trim().split('\n');
    expect(methods).toContain('ect.v1.AuthorityService/ValidateDAG');
    expect(methods).toContain('grpc.health.v1.Health/Watch');
  });

  test.each(['grpc', 'grpcweb', 'connect'])('buf curl calls Issue over %s without a schema', async (protocol) => {
    const answer = await bufCurl('--protocol', protocol, `${url}/ect.v1.AuthorityService/Issue`, '-d', '{}');
    expect(JSON.parse(answer)).toEqual({ token: 'issued for anonymous' });
  });

  test.each(['grpc-v1', 'grpc-v1alpha'])('buf curl finds the schema by %s', async (version) => {
    const parameters = ['--reflect-protocol', version, `${url}/ect.v1.KeyService/GetKeySet`, '-d', '{}'];
    expect(JSON.parse(await bufCurl(...parameters))).toEqual({ jwksJson: '{"kind":"anonymous"}' });
  });

  test.each([
    ['v1', ServerReflection],
    ['v1alpha', ServerReflectionAlpha],
  ] as const)(
    '%s finds a method, a file with all that it imports, and says what it does not know',
    async (_version, descriptor) => {
      const client = createClient(
        descriptor as typeof ServerReflection,
        transports(url)['gRPC over HTTP/2'] as Transport,
      );
      const answers = client.serverReflectionInfo(
        questions([
          { case: 'fileContainingSymbol', value: 'ect.v1.AuthorityService.Issue' },
          { case: 'fileByFilename', value: 'ect/v1/authority.proto' },
          { case: 'fileContainingSymbol', value: 'ect.v1.Nope' },
          { case: 'fileByFilename', value: '../../etc/passwd' },
          { case: 'allExtensionNumbersOfType', value: 'ect.v1.IssueRequest' },
          { case: 'allExtensionNumbersOfType', value: 'ect.v1.Nope' },
          { case: undefined },
        ]),
      );
      const seen = [];
      for await (const { messageResponse } of answers) seen.push(messageResponse);
      for (const file of seen.slice(0, 2)) {
        const bytes = file.case === 'fileDescriptorResponse' ? file.value.fileDescriptorProto : [];
        const names = bytes.map((proto) => fromBinary(FileDescriptorProtoSchema, proto).name);
        expect(names).toEqual(expect.arrayContaining(['ect/v1/authority.proto', 'google/protobuf/struct.proto']));
      }
      expect(seen.slice(2).map((answer) => answer.case)).toEqual([
        'errorResponse',
        'errorResponse',
        'allExtensionNumbersResponse',
        'errorResponse',
        'errorResponse',
      ]);
    },
  );
});

type Question =
  | { case: 'fileContainingSymbol' | 'fileByFilename' | 'allExtensionNumbersOfType'; value: string }
  | { case: undefined };

async function* questions(list: readonly Question[]) {
  for (const messageRequest of list) yield { messageRequest };
}
