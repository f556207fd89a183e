// Reads a Verify request.

import type { VerifyInput } from '../authority/index.ts';
import {
  DagMode,
  DagModeSchema,
  ReplayMode,
  ReplayModeSchema,
  VerifyMode,
  VerifyModeSchema,
  type VerifyRequest,
} from '../gen/ect/v1/authority_pb.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import { HASH_RULE, isHashClaim, isParty, PARTY_RULE } from '../token/index.ts';
import { known } from './enums.ts';
import { demand, invalid } from './invalid.ts';
import {
  type FaultsIn,
  NOTHING,
  noFaults,
  readBinding,
  readLevel,
  readPredecessors,
  readRequestId,
} from './request-fields.ts';
import { readSecond } from './times.ts';
import { faultsOf, type Reader, readAll } from './violations.ts';

export function readVerifyInput(request: VerifyRequest, faultsIn: FaultsIn<VerifyInput> = noFaults): VerifyInput {
  return readAll(
    () => verifyInputOf(request),
    () => faultsOf(request, verifyReaders(request), (legible) => faultsIn(verifyInputOf(legible))),
  );
}

function verifyReaders(request: VerifyRequest): readonly Reader<VerifyRequest>[] {
  return [
    { read: () => demand(request.token !== '', 'token', 'is required'), cleared: { token: '-' } },
    { read: () => known('dag_mode', request.dagMode, DagModeSchema), cleared: { dagMode: DagMode.UNSPECIFIED } },
    {
      read: () => known('replay_mode', request.replayMode, ReplayModeSchema),
      cleared: { replayMode: ReplayMode.UNSPECIFIED },
    },
    {
      read: () => known('verify_mode', request.verifyMode, VerifyModeSchema),
      cleared: { verifyMode: VerifyMode.UNSPECIFIED },
    },
    { read: () => readPredecessors(request.predecessorTokens), cleared: { predecessorTokens: [] } },
    { read: () => readDagMode(request), cleared: { dagMode: DagMode.UNSPECIFIED } },
    { read: () => readRequestId(request.requestId), cleared: { requestId: '' } },
    { read: () => readLevel('minimum_level', request.minimumLevel), cleared: { minimumLevel: Level.UNSPECIFIED } },
    { read: () => readSecond('as_of', request.asOf), cleared: { asOf: undefined } },
    { read: () => checkAudience(request.audience), cleared: { audience: SOME_PARTY } },
    { read: () => readExpectedHash(request.inputBinding), cleared: { inputBinding: NOTHING } },
    { read: () => readExpectedHash(request.outputBinding), cleared: { outputBinding: NOTHING } },
  ];
}

function verifyInputOf(request: VerifyRequest): VerifyInput {
  known('dag_mode', request.dagMode, DagModeSchema);
  known('replay_mode', request.replayMode, ReplayModeSchema);
  known('verify_mode', request.verifyMode, VerifyModeSchema);
  if (request.token === '') throw invalid('token', 'is required');
  checkAudience(request.audience);
  return {
    token: request.token,
    audience: request.audience,
    predecessors: readPredecessors(request.predecessorTokens),
    dag: readDagMode(request),
    replay: readReplayMode(request.replayMode),
    requestId: readRequestId(request.requestId),
    minimumLevel: readLevel('minimum_level', request.minimumLevel),
    mode: request.verifyMode === VerifyMode.REPORT ? 'report' : 'enforce',
    asOf: readSecond('as_of', request.asOf),
    ...readBindings(request),
  };
}

function readDagMode({ dagMode, predecessorTokens }: VerifyRequest): 'none' | 'partial' | 'complete' {
  switch (dagMode) {
    case DagMode.NONE:
      if (predecessorTokens.length > 0) {
        throw invalid('dag_mode', 'must not be NONE if predecessor_tokens are set');
      }
      return 'none';
    case DagMode.PARTIAL:
      return 'partial';
    case DagMode.COMPLETE:
      return 'complete';
    default:
      return predecessorTokens.length > 0 ? 'partial' : 'none';
  }
}

function readReplayMode(mode: ReplayMode): VerifyInput['replay'] {
  if (mode === ReplayMode.SKIP) return 'skip';
  return mode === ReplayMode.OBSERVE ? 'observe' : 'record';
}

/** Octets are passed on, because the hash function is known only when the token has been read. */
function readBindings(request: VerifyRequest): Pick<VerifyInput, 'inputHash' | 'outputHash' | 'input' | 'output'> {
  const { inputBinding, outputBinding } = request;
  const input = inputBinding.case === 'input' ? inputBinding.value : undefined;
  const output = outputBinding.case === 'output' ? outputBinding.value : undefined;
  return {
    inputHash: input === undefined ? readExpectedHash(inputBinding) : undefined,
    outputHash: output === undefined ? readExpectedHash(outputBinding) : undefined,
    input,
    output,
  };
}

/** A hash of a form that no claim can have would never match: that is a fault of the request, not a verdict on the token. */
function readExpectedHash(binding: VerifyRequest['inputBinding'] | VerifyRequest['outputBinding']): string | undefined {
  const expected = readBinding(binding);
  const field = binding.case === 'inpHash' ? 'inp_hash' : 'out_hash';
  demand(expected === undefined || isHashClaim(expected), field, HASH_RULE);
  return expected;
}

/** The same for an audience that no token can name. */
function checkAudience(audience: string): void {
  demand(audience === '' || isParty(audience), 'audience', PARTY_RULE);
}

/** A placeholder for an audience that is rejected, so that it is not also reported as missing. */
const SOME_PARTY = 'urn:some:party';
