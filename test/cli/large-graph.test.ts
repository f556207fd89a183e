// `ect dag` on a workflow that is too large to be examined or to be listed: nothing is said that is not known. The service is a
// stand-in that answers as one with 100,002 tasks does; to record so many would take minutes.

import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthorityService, ValidateDAGResponseSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorReason } from '../../src/gen/ect/v1/error_reason_pb.ts';
import { EntrySchema, LedgerService } from '../../src/gen/ect/v1/ledger_pb.ts';
import { DagStatus } from '../../src/gen/ect/v1/token_pb.ts';
import { ect } from './run.ts';

const WID = '00000000-0000-4000-8000-000000000000';
let server: Http2Server;
let url = '';

beforeAll(async () => {
  const handler = connectNodeAdapter({
    routes: (router) => {
      router.service(AuthorityService, {
        validateDAG: () =>
          create(ValidateDAGResponseSchema, {
            dagReport: {
              status: DagStatus.INVALID,
              violations: [{ finding: { reason: ErrorReason.DAG_TOO_DEEP }, tasks: [{ wid: WID, jti: 't' }] }],
            },
            size: 100_001,
          }),
      });
      router.service(LedgerService, {
        listEntries: ({ pageSize, pageToken }) => {
          const start = Number(pageToken);
          const entries = Array.from({ length: pageSize }, (_, at) =>
            create(EntrySchema, {
              index: BigInt(start + at),
              body: { case: 'task', value: { name: { jti: `task-${start + at}`, wid: WID } } },
            }),
          );
          return { entries, nextPageToken: String(start + pageSize) };
        },
      });
    },
  });
  server = createServer(handler);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((closed) => server.close(closed)));

test('its size is a lower bound, its longest path unknown, and a part of its tasks is listed', async () => {
  const { code, out, err } = await ect(['dag', '--wid', WID, '--url', url]);
  expect(code).toBe(1);
  expect(out).toMatch(/^✗ invalid\n {2}tasks +100001 or more\n {2}longest path +unknown\n/);
  expect(out).toContain('task-999 ');
  expect(out).not.toContain('task-1000 ');
  expect(err).toContain(`the first 1000; all of them: ect list entries --wid ${WID}`);
});
