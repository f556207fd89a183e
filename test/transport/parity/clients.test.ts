// Clients of several makers at both transports: each does the same things at each, and must find the same.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { Code, createClient } from '@connectrpc/connect';
import { compressionGzip, createGrpcTransport } from '@connectrpc/connect-node';
import { status as codes } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorityService } from '../../../src/api/authority.ts';
import { ledgerService } from '../../../src/api/ledger.ts';
import { AuthorityService } from '../../../src/gen/ect/v1/authority_pb.ts';
import { ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.ts';
import { KeyRing, writeKeySet } from '../../../src/keys/index.ts';
import { CallError, dial } from '../../interop/grpc-js-client.ts';
import { generatePython, PYTHON_NEED, python, runPythonClient } from '../../interop/python-client.ts';
import { runProgram } from '../../interop/run-program.ts';
import { makeAuthority } from '../../support/authority.ts';
import { describeWhen } from '../../support/need.ts';
import { failureOf } from '../../support/rpc-clients.ts';
import { type BothTransports, type Side, startBothTransports, TRANSPORTS } from './both-transports.ts';
import { permissiveService, type Reached } from './permissive-service.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const BUF = join(REPOSITORY, 'node_modules/.bin/buf');
const AUDIENCE = 'urn:example:reviewer';
const ISSUER = 'urn:ect:dev';
const ISSUE = 'ect.v1.AuthorityService/Issue';

/** One authority for each transport, by the clock of this machine, since clients check times by it too. */
async function startAuthorities() {
  const made = await Promise.all(TRANSPORTS.map(() => makeAuthority()));
  const parts = made.map(({ context: each, signer }) => ({
    ...each,
    now: () => Math.floor(Date.now() / 1000),
    stamp: () => Math.floor(Date.now() / 1000),
    policy: { ...each.policy, issuer: ISSUER },
    keys: new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true }]),
  }));
  const of = <T>(list: readonly T[], transport: Side['transport']) => list[TRANSPORTS.indexOf(transport)]!;
  const transports = await startBothTransports((transport) => [
    authorityService(of(parts, transport)),
    ledgerService(of(parts, transport)),
  ]);
  const jwks = (transport: Side['transport']) => JSON.parse(writeKeySet([of(made, transport).signer.jwk]));
  return { transports, jwks };
}

let authorities: Awaited<ReturnType<typeof startAuthorities>>;
let willing: BothTransports;
const reached: Reached = [];
beforeAll(async () => {
  authorities = await startAuthorities();
  willing = await startBothTransports(() => [permissiveService(reached)]);
});
afterAll(async () => {
  await authorities?.transports[Symbol.asyncDispose]();
  await willing?.[Symbol.asyncDispose]();
});

const addressOf = ({ server }: Side) => new URL(server.url).host;

describe.each(TRANSPORTS)('the %s transport', (transport) => {
  test('@grpc/grpc-js', async () => {
    using client = dial(addressOf(authorities.transports[transport]));
    const issued = await client.call<{ token: string }>(ISSUE, { exec_act: 'review_spec', aud: [AUDIENCE] });
    const verify = { token: issued.token, audience: AUDIENCE };
    const verdict = await client.call<object>('ect.v1.AuthorityService/Verify', verify);
    expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L2' });
    const recorded = await client.call<object>('ect.v1.AuthorityService/AppendLedger', { token: issued.token });
    expect(recorded).toMatchObject({ duplicate: false, entry: { task: { token: issued.token } } });
    const rejected = await client.call(ISSUE, {}).catch((thrown: unknown) => thrown);
    expect(rejected).toBeInstanceOf(CallError);
    expect(rejected).toMatchObject({ code: codes.INVALID_ARGUMENT, info: { domain: 'ect-authority' } });
  });

  test('H14: @grpc/grpc-js: a deadline and a cancelled call', async () => {
    using client = dial(addressOf(willing[transport]));
    const failure = (thrown: unknown) => thrown as CallError;
    const late = await client.call(ISSUE, { exec_act: 'stuck' }, { deadline: Date.now() + 100 }).catch(failure);
    expect(late).toMatchObject({ code: codes.DEADLINE_EXCEEDED });
    const cancelled = await client
      .call(ISSUE, { exec_act: 'hang' }, {}, (call) => setImmediate(() => call.cancel()))
      .catch(failure);
    expect(cancelled).toMatchObject({ code: codes.CANCELLED });
  });

  test.each([
    ['plain', {}],
    ['compressed', { sendCompression: compressionGzip, compressMinBytes: 0 }],
  ])('connect-node over gRPC, %s', async (_title, options) => {
    const grpcTransport = createGrpcTransport({ baseUrl: authorities.transports[transport].server.url, ...options });
    const client = createClient(AuthorityService, grpcTransport);
    const { token } = await client.issue({ execAct: 'review_spec', aud: [AUDIENCE] });
    expect(await client.verify({ token, audience: AUDIENCE })).toMatchObject({ valid: true });
    const failure = await failureOf(client.issue({ execAct: 'a', aud: [AUDIENCE], iss: 'urn:other' }));
    expect(failure).toMatchObject({
      code: Code.PermissionDenied,
      info: { reason: 'ISSUER_NOT_ALLOWED', metadata: { iss: 'urn:other' } },
    });
  });

  test('buf curl', async () => {
    const options = ['--protocol', 'grpc', '--http2-prior-knowledge', '--schema', 'proto'];
    const url = `${authorities.transports[transport].server.url}/${ISSUE}`;
    const curl = (request: object) =>
      runProgram(BUF, ['curl', ...options, url, '--data', JSON.stringify(request)], { cwd: REPOSITORY });
    const good = await curl({ exec_act: 'review_spec', aud: [AUDIENCE] });
    expect({ code: good.code, stderr: good.stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(good.stdout)).toMatchObject({ claims: { iss: ISSUER, aud: [AUDIENCE] } });
    const rejected = await curl({});
    // buf exits with eight times the code of gRPC.
    expect(rejected.code).toBe(8 * codes.INVALID_ARGUMENT);
    const error = JSON.parse(rejected.stderr);
    const types = ['google.rpc.ErrorInfo', 'google.rpc.BadRequest'];
    expect(error).toMatchObject({ code: 'invalid_argument', details: types.map((type) => ({ type })) });
    const info = fromBinary(ErrorInfoSchema, Buffer.from(error.details[0].value, 'base64'));
    expect(info).toMatchObject({ reason: 'CLAIM_INVALID', domain: 'ect-authority' });
  });
});

describeWhen(python !== undefined, 'Python grpcio', PYTHON_NEED, () => {
  test('finds the same at both transports', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-transport-'));
    try {
      await generatePython(folder);
      const found = [];
      for (const transport of TRANSPORTS) {
        const side = authorities.transports[transport];
        const { issued, graph, recorded, ...same } = await runPythonClient(
          folder,
          addressOf(side),
          authorities.jwks(transport),
        );
        const { jti } = issued;
        expect(graph).toEqual({ status: 'DAG_STATUS_COMPLETE', size: 1, roots: [['', jti]] });
        expect([same.pyjwt.jti, same.jwcrypto.jti, recorded.jti]).toEqual([jti, jti, jti]);
        found.push(JSON.parse(JSON.stringify({ recorded, ...same }).replaceAll(jti, 'jti')));
      }
      expect(found[0]).toEqual(found[1]);
      expect(found[0]).toMatchObject({ late: 'DEADLINE_EXCEEDED', refused: { reason: 'ISSUER_NOT_ALLOWED' } });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test('no transport took a client for a fault of its own', () => {
  for (const side of [...authorities.transports.both, ...willing.both]) expect(side.bugs()).toEqual([]);
});
