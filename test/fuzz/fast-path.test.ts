// The same mutants through the port: every call is answered by a verdict or by a reason, and never by a bug.

import { createPublicKey } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { expect, onTestFinished, test } from 'vitest';
import { reasonName } from '../../src/cli/describe.ts';
import {
  AuthorityService,
  DagMode,
  ReplayMode,
  VerifyMode,
  type VerifyResponse,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { rounds } from '../support/full.ts';
import { fc } from '../support/random.ts';
import { startService } from '../support/service-process.ts';
import { AUD, ISS, KID, NOW, signingKey } from '../support/tokens.ts';
import { goodTokens, mutants } from './mutants.ts';

const CALLS = rounds(2_000, 500);
const AT_ONCE = 32;

function outcomeOf({ valid, finding }: VerifyResponse): string {
  return valid || finding === undefined ? 'VALID' : reasonName(finding);
}

test(`T25: of ${CALLS.toLocaleString('en')} calls with mutants none is answered by INTERNAL or UNKNOWN, and the service is as well as before`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-transport-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const trustFile = join(folder, 'trust.json');
  const jwk = { ...createPublicKey(signingKey).export({ format: 'jwk' }), kid: KID };
  await writeFile(trustFile, JSON.stringify({ issuers: [{ iss: ISS, jwks: { keys: [jwk] } }] }));
  const settings = { ECT_STORE: 'memory', ECT_LOG_LEVEL: 'error', ECT_TRUST_FILE: trustFile };
  await using service = await startService(settings);
  const authority = createClient(AuthorityService, createGrpcTransport({ baseUrl: service.url }));
  // What is no text has no place in a message; the generated code rejects it before it is sent.
  const texts = fc.sample(mutants, { numRuns: CALLS }).map((text) => text.toWellFormed());
  const outcomes = new Map<string, number>();
  const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const asOf = { seconds: BigInt(NOW) };
  const calls = [
    async (token: string) => count(outcomeOf(await authority.verify({ token, audience: AUD, asOf }))),
    async (token: string) => {
      const options = {
        verifyMode: VerifyMode.REPORT,
        dagMode: DagMode.COMPLETE,
        replayMode: ReplayMode.RECORD,
      } as const;
      const request = { token, audience: AUD, ...options, predecessorTokens: [token] };
      count(outcomeOf(await authority.verify(request)));
    },
    async (token: string) => {
      const tokens = [token, goodTokens[0]!];
      const { dagReport } = await authority.validateDAG({ subject: { case: 'bundle', value: { tokens } } });
      const finding = dagReport?.violations[0]?.finding;
      count(finding === undefined ? 'NO VIOLATION' : reasonName(finding));
    },
    async (token: string) => void (await authority.appendLedger({ token })),
  ];
  const waiting = texts.entries();
  const callOn = async () => {
    for (const [at, token] of waiting) {
      await calls[at % calls.length]!(token).catch((error: unknown) => {
        const { code, message } = ConnectError.from(error);
        const reason = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0]?.reason : undefined;
        if (reason === undefined || [Code.Internal, Code.Unknown].includes(code)) {
          throw new Error(`${Code[code]} ${message} for ${JSON.stringify(token)}`);
        }
        count(`failed: ${reason}`);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, callOn));
  console.info(`calls by their outcome: ${JSON.stringify(Object.fromEntries(outcomes))}`);
  for (const outcome of ['VALID', 'TOKEN_MALFORMED', 'SIGNATURE_INVALID', 'failed: SIGNATURE_INVALID']) {
    expect(outcomes.get(outcome) ?? 0, outcome).toBeGreaterThan(CALLS / 400);
  }
  expect(service.stderr()).not.toContain('"level":"error"');
  expect(await service.stop()).toBe(0);
});
