// One server for the tests of a file.

import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll } from 'vitest';
import { IssueRequestSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { startTestServer, type TestServer } from '../../support/rpc-server.ts';

export const ISSUE = '/ect.v1.AuthorityService/Issue';

export let running: TestServer;
export let url: string;
beforeAll(async () => {
  running = await startTestServer();
  url = running.server.url;
});
afterAll(() => running[Symbol.asyncDispose]());

export const message = toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct: 'review_spec' }));
