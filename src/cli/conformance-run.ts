// Sends one vector to a running authority, and compares the response with the expected one.

import { isDeepStrictEqual } from 'node:util';
import { create, toJson } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import { DagMode, ReplayMode, VerifyMode, type VerifyResponse } from '../gen/ect/v1/authority_pb.ts';
import {
  CheckStatus,
  ClaimsSchema,
  DagReportSchema,
  type PolicyClaims,
  PolicyClaimsSchema,
  type TaskName,
} from '../gen/ect/v1/token_pb.ts';
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import type { Service } from './client.ts';
import { dagStatusName, levelName, reasonName } from './describe.ts';
import { type GraphVector, isGraphVector, type TokenVector, type Vector } from './vectors.ts';

/** A vector and its result: `undefined` if the response is the expected one. */
export interface Outcome {
  readonly vector: Vector;
  readonly difference: Difference | undefined;
}

/** The expected and the actual response, in a few words each. Both may contain text from the service. */
export interface Difference {
  readonly expected: string;
  readonly got: string;
}

type AuthorityClient = Service['authority'];

/** Runs one vector. A call that fails with a reason is a wrong response; any other failure is thrown. */
export async function runVector(authority: AuthorityClient, vector: Vector): Promise<Outcome> {
  try {
    const [expected, got] = isGraphVector(vector)
      ? await judgeGraph(authority, vector)
      : await judgeToken(authority, vector);
    return { vector, difference: compare(expected, got) };
  } catch (error) {
    const reason = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0]?.reason : undefined;
    if (reason === undefined) throw error;
    return {
      vector,
      difference: { expected: describe({ ...vector.expected }), got: `the call failed with ${reason}` },
    };
  }
}

type Answer = Readonly<Record<string, unknown>>;
type Pair = readonly [expected: Answer, got: Answer];

async function judgeToken(authority: AuthorityClient, vector: TokenVector): Promise<Pair> {
  const { token, audience, now, inp_hash: inpHash, out_hash: outHash, expected } = vector;
  const response = await authority.verify({
    token,
    audience,
    asOf: { seconds: BigInt(now) },
    replayMode: ReplayMode.SKIP,
    dagMode: DagMode.NONE,
    // A report names the step that failed.
    verifyMode: VerifyMode.REPORT,
    inputBinding: inpHash === undefined ? { case: undefined } : { case: 'inpHash', value: inpHash },
    outputBinding: outHash === undefined ? { case: undefined } : { case: 'outHash', value: outHash },
  });
  if (!expected.valid) {
    const { reason, step } = expected;
    return [{ valid: false, reason, step }, readRejection(response)];
  }
  if (!response.valid) return [{ ...expected }, readRejection(response)];
  return [{ ...expected }, readClaims(response)];
}

function readRejection({ valid = false, finding, checks }: VerifyResponse): Answer {
  const failed = checks.find(({ status }) => status === CheckStatus.FAIL);
  return { valid, reason: finding ? reasonName(finding) : '', step: failed?.name ?? '' };
}

/** Converts the claims into the form of vectors: absent claims are omitted, times are numbers. */
function readClaims({ valid = false, level, claims }: VerifyResponse): Answer {
  const json = claims === undefined ? {} : toJson(ClaimsSchema, claims, { useProtoFieldName: true });
  const read = { pred: [], ...(json as object), iat: secondsOf(claims?.iat), exp: secondsOf(claims?.exp) };
  const policy = claims?.policy === undefined ? {} : { policy: readPolicy(claims.policy) };
  return { valid, level: levelName(level), claims: { ...read, ...policy } };
}

function readPolicy(policy: PolicyClaims): Answer {
  const json = toJson(PolicyClaimsSchema, policy, { useProtoFieldName: true }) as object;
  const { polTimestamp: timestamp } = policy;
  return timestamp === undefined ? { ...json } : { ...json, pol_timestamp: secondsOf(timestamp) };
}

function secondsOf(time: Timestamp | undefined): number {
  return Number(time?.seconds);
}

async function judgeGraph(authority: AuthorityClient, { bundle, expected }: GraphVector): Promise<Pair> {
  const response = await authority.validateDAG({
    subject: { case: 'bundle', value: { tokens: [...bundle] } },
  });
  const { dagReport, size, depth, roots, leaves } = response;
  const { status, violations, unresolved } = dagReport ?? create(DagReportSchema);
  return [
    { ...expected },
    {
      status: dagStatusName(status),
      violations: violations.map(({ finding, tasks }) => ({
        reason: finding ? reasonName(finding) : '',
        tasks: idsOf(tasks),
      })),
      unresolved: idsOf(unresolved),
      size,
      depth,
      roots: idsOf(roots),
      leaves: idsOf(leaves),
    },
  ];
}

/** Returns the `jti` of each task, by which vectors name tasks. */
function idsOf(tasks: readonly TaskName[]): readonly string[] {
  return tasks.map(({ jti }) => jti);
}

function compare(expected: Answer, got: Answer): Difference | undefined {
  if (isDeepStrictEqual(expected, got)) return undefined;
  if (expected['valid'] !== true || got['valid'] !== true) return { expected: describe(expected), got: describe(got) };
  // Both verdicts are valid, so the difference is in the claims.
  const [left, right] = [flatten(expected), flatten(got)];
  const names = Object.keys({ ...left, ...right }).filter((name) => !isDeepStrictEqual(left[name], right[name]));
  const only = (answer: Answer) =>
    JSON.stringify(Object.fromEntries(names.map((name) => [name, answer[name] ?? null])));
  return { expected: only(left), got: only(right) };
}

function flatten({ claims, ...others }: Answer): Answer {
  return { ...others, ...(claims as Answer) };
}

function describe(answer: Answer): string {
  if (answer['valid'] === true) return 'valid';
  return 'step' in answer ? `${String(answer['reason'])} at step ${String(answer['step'])}` : JSON.stringify(answer);
}
