// docs/clients.md, TypeScript: Connect, and @grpc/grpc-js.

import { describe, test } from 'vitest';
import { expectSuccess, testClients } from './client-test.ts';

describe('the clients in TypeScript', () => {
  const clients = testClients(['TypeScript with Connect', 'TypeScript with grpc-js']);

  test('have no fault of types beside what was generated', async () => {
    expectSuccess(await clients().overCleartext(['cd examples/clients/typescript', 'npx tsc']), /^$/);
  });
});
