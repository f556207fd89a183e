// Clients of several makers at both doors: each does the same things at each, and must find the same.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { Code, createClient } from '@connectrpc/connect';
import { compressionGzip, createGrpcTransport } from '@connectrpc/connect-node';
import { status as codes } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { KeyRing, writeKeySet } from '../../src/keys/index.ts';
import { authorityService } from '../../src/rpc/authority.ts';
import { ledgerService } from '../../src/rpc/ledger.ts';
import { CallError, dial } from '../interop/grpc-js-client.ts';
import { generatePython, PYTHON_NEED, python, runPythonClient } from '../interop/python-client.ts';
import { runProgram } from '../interop/run-program.ts';
import { makeAuthority } from '../support/authority.ts';
import { describeWhen } from '../support/need.ts';
import { failureOf } from '../support/rpc-clients.ts';
import { DOORS, type Side, startTwoDoors, type TwoDoors } from './two-doors.ts';
import { type Reached, willingService } from './willing-service.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const BUF = join(REPOSITORY, 'node_modules/.bin/buf');
const AUDIENCE = 'urn:example:reviewer';
const ISSUER = 'urn:ect:dev';
const ISSUE = 'ect.v1.AuthorityService/Issue';

/** One authority for each door, by the clock of this machine, since clients check times by it too. */
async function startAuthorities() {
  const made = await Promise.all(DOORS.map(() => makeAuthority()));
  const parts = made.map(({ parts: each, signer }) => ({
    ...each,
    now: () => Math.floor(Date.now() / 1000),
    stamp: () => Math.floor(Date.now() / 1000),
    policy: { ...each.policy, issuer: ISSUER },
    keys: new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true }]),
  }));
  const of = <T>(list: readonly T[], door: Side['door']) => list[DOORS.indexOf(door)]!;
  const doors = await startTwoDoors((door) => [authorityService(of(parts, door)), ledgerService(of(parts, door))]);
  const jwks = (door: Side['door']) => JSON.parse(writeKeySet([of(made, door).signer.jwk]));
  return { doors, jwks };
}

let authorities: Awaited<ReturnType<typeof startAuthorities>>;
let willing: TwoDoors;
const reached: Reached = [];
beforeAll(async () => {
  authorities = await startAuthorities();
  willing = await startTwoDoors(() => [willingService(reached)]);
});
afterAll(async () => {
  await authorities?.doors[Symbol.asyncDispose]();
  await willing?.[Symbol.asyncDispose]();
});

const addressOf = ({ server }: Side) => new URL(server.url).host;

describe.each(DOORS)('the %s door', (door) => {
  test('@grpc/grpc-js', async () => {
    using client = dial(addressOf(authorities.doors[door]));
    const issued = await client.call<{ token: string }>(ISSUE, { exec_act: 'review_spec', aud: [AUDIENCE] });
    const verify = { token: issued.token, audience: AUDIENCE };
    const verdict = await client.call<object>('ect.v1.AuthorityService/Verify', verify);
    expect(verdict).toMatchObject({ valid: true, level: 'LEVEL_L2' });
    const recorded = await client.call<object>('ect.v1.AuthorityService/AppendLedger', { token: issued.token });
    expect(recorded).toMatchObject({ duplicate: false, entry: { task: { token: issued.token } } });
    const refused = await client.call(ISSUE, {}).catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(CallError);
    expect(refused).toMatchObject({ code: codes.INVALID_ARGUMENT, info: { domain: 'ect-authority' } });
  });

  test('H14: @grpc/grpc-js: a deadline and a cancelled call', async () => {
    using client = dial(addressOf(willing[door]));
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
    const transport = createGrpcTransport({ baseUrl: authorities.doors[door].server.url, ...options });
    const client = createClient(AuthorityService, transport);
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
    const url = `${authorities.doors[door].server.url}/${ISSUE}`;
    const curl = (request: object) =>
      runProgram(BUF, ['curl', ...options, url, '--data', JSON.stringify(request)], { cwd: REPOSITORY });
    const good = await curl({ exec_act: 'review_spec', aud: [AUDIENCE] });
    expect({ code: good.code, stderr: good.stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(good.stdout)).toMatchObject({ claims: { iss: ISSUER, aud: [AUDIENCE] } });
    const refused = await curl({});
    // buf exits with eight times the code of gRPC.
    expect(refused.code).toBe(8 * codes.INVALID_ARGUMENT);
    const error = JSON.parse(refused.stderr);
    const types = ['google.rpc.ErrorInfo', 'google.rpc.BadRequest'];
    expect(error).toMatchObject({ code: 'invalid_argument', details: types.map((type) => ({ type })) });
    const info = fromBinary(ErrorInfoSchema, Buffer.from(error.details[0].value, 'base64'));
    expect(info).toMatchObject({ reason: 'CLAIM_INVALID', domain: 'ect-authority' });
  });
});

describeWhen(python !== undefined, 'Python grpcio', PYTHON_NEED, () => {
  test('finds the same at both doors', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ect-doors-'));
    try {
      await generatePython(folder);
      const found = [];
      for (const door of DOORS) {
        const side = authorities.doors[door];
        const { issued, graph, recorded, ...same } = await runPythonClient(
          folder,
          addressOf(side),
          authorities.jwks(door),
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

test('no door took a client for a fault of its own', () => {
  for (const side of [...authorities.doors.both, ...willing.both]) expect(side.bugs()).toEqual([]);
});
