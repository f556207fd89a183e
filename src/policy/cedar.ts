// The engine: Cedar, compiled to WebAssembly. It is only loaded if there is a policy file.

import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Circumstances } from '../authority/index.ts';

import { contextAttributes, looksAt, namesType } from './attributes.ts';
import { distinctProblems } from './distinct-problems.ts';
import { distinct, type Uid } from './entities.ts';
import {
  type CedarAnswer,
  type CedarRequest,
  type CompiledPolicy,
  type PolicyProblem,
  placeOf,
  type ReadPolicy,
} from './policy-file.ts';

const SCHEMA = readFileSync(new URL('../../policy/ect.cedarschema', import.meta.url), 'utf8');

/** All circumstances. The proof of a caller is part of the caller. */
const CIRCUMSTANCES = Object.keys({
  iss: true,
  aud: true,
  exec_act: true,
  wid: true,
  ttl: true,
  level: true,
  inp_hash: true,
  out_hash: true,
  owns_workflow: true,
} satisfies Record<keyof Circumstances, true>) as readonly (keyof Circumstances)[];

/** The engine keeps each prepared set under its name forever, so names of unused policies are reused. */
const free: string[] = [];
const released = new FinalizationRegistry((setId: string) => free.push(setId));
let prepared = 0;

/** A file that is being replaced is empty for a moment, and would reject every call. */
const NO_POLICY: PolicyProblem = {
  line: 1,
  column: 1,
  message: 'there is no policy in this file; to permit nothing, write forbid (principal, action, resource);',
};

/** Policies that are validated, or converted, in one piece: that takes 10 to 20 ms. */
const PIECE = 100;

/** Turns of the event loop between two pieces: a short call takes about as many. */
const TURNS_BETWEEN = 4;

/** Reads a policy file and validates it against the schema. */
export function readPolicy(text: string): ReadPolicy {
  const reading = readInPieces(text);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}

/** The same while the service runs: a file with 1,000 policies takes 0.3 s, so calls are served in between. */
export async function readPolicyInSlices(text: string): Promise<ReadPolicy> {
  const reading = readInPieces(text);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
    for (let turn = 0; turn < TURNS_BETWEEN; turn++) await nextTurn();
  }
}

function* readInPieces(text: string): Generator<void, ReadPolicy> {
  const split = cedar.policySetTextToParts(text);
  const texts = split.type === 'success' ? inOrder(text, split.policies) : [];
  if (split.type === 'success' && texts.length === 0) return { ok: false, problems: [NO_POLICY] };
  const problems: PolicyProblem[] = [];
  const warnings: PolicyProblem[] = [];
  for (const { piece, offset } of piecesOf(text, texts)) {
    yield;
    const answer = cedar.validate({ schema: SCHEMA, policies: { staticPolicies: piece } });
    if (answer.type === 'failure')
      return { ok: false, problems: answer.errors.map((error) => problemOf(text, error, offset)) };
    problems.push(...answer.validationErrors.map(({ error }) => problemOf(text, error, offset)));
    warnings.push(...answer.validationWarnings.map(({ error }) => problemOf(text, error, offset)));
  }
  if (problems.length > 0) return { ok: false, problems: distinctProblems(problems) };
  if (split.type === 'failure') return { ok: false, problems: split.errors.map((error) => problemOf(text, error)) };
  return yield* named(text, texts, distinctProblems(warnings));
}

/** The policies in the order of the file. The engine sorts them by the names that it gives them: `policy10` comes before `policy2`. */
function inOrder(file: string, texts: readonly string[]): readonly string[] {
  const names = texts.map((_, at) => `policy${at}`).toSorted();
  const sorted: string[] = [];
  for (const [at, name] of names.entries()) sorted[Number(name.slice('policy'.length))] = texts[at]!;
  let end = 0;
  const isInOrder = sorted.every((text) => {
    const place = file.indexOf(text, end);
    end = place + text.length;
    return place !== -1;
  });
  return isInOrder ? sorted : texts;
}

/** The file in pieces of so many policies, each with its offset in bytes; in one piece if it has fewer, or cannot be divided. */
function piecesOf(
  file: string,
  texts: readonly string[],
): readonly { readonly piece: string; readonly offset: number }[] {
  const starts = [0];
  let end = 0;
  for (const [at, text] of texts.entries()) {
    if (at > 0 && at % PIECE === 0) starts.push(end);
    const place = file.indexOf(text, end);
    if (place === -1) return [{ piece: file, offset: 0 }];
    end = place + text.length;
  }
  let offset = 0;
  return starts.map((start, at) => {
    const piece = file.slice(start, starts[at + 1]);
    const found = { piece, offset };
    offset += Buffer.byteLength(piece);
    return found;
  });
}

/** Gives each policy its id: that of its annotation, or its position in the file. */
function* named(
  file: string,
  texts: readonly string[],
  warnings: readonly PolicyProblem[],
): Generator<void, ReadPolicy> {
  const policies = new Map<string, { readonly text: string; readonly json: unknown }>();
  const problems: PolicyProblem[] = [];
  let offset = 0;
  for (const [at, part] of texts.entries()) {
    if (at % PIECE === 0) yield;
    offset = Math.max(offset, file.indexOf(part, offset));
    const read = cedar.policyToJson(part);
    if (read.type === 'failure') throw new TypeError('a policy that was read cannot be read again');
    const id = read.json.annotations?.['id'] ?? `policy ${at + 1}`;
    if (policies.has(id)) {
      const place = placeOf(file, Buffer.byteLength(file.slice(0, offset)));
      problems.push({ ...place, message: `another policy has the @id ${JSON.stringify(id)}` });
    }
    policies.set(id, { text: part, json: read.json });
    offset += part.length;
  }
  if (problems.length > 0) return { ok: false, problems };
  yield;
  return { ok: true, policy: compile(policies), warnings };
}

function compile(policies: ReadonlyMap<string, { readonly text: string; readonly json: unknown }>): CompiledPolicy {
  const setId = free.pop() ?? `policies ${++prepared}`;
  const staticPolicies = Object.fromEntries([...policies].map(([id, { text }]) => [id, text]));
  const parsed = cedar.preparsePolicySet(setId, { staticPolicies });
  if (parsed.type === 'failure') throw new TypeError('policies that were read cannot be read again');
  const jsons = [...policies.values()].map(({ json }) => json);
  const used = contextAttributes(jsons);
  const asksForIssuer = used === 'all' || namesType(jsons, 'Issuer') || looksAt(jsons, 'iss');
  const policy: CompiledPolicy = {
    policies: [...policies].map(([id, { text }]) => ({ id, text })),
    decide: (request) => decideOrDeny(setId, request),
    circumstances: CIRCUMSTANCES.filter((name) => used === 'all' || used.has(name)),
    asksForIssuer,
    asksForWorkflow: namesType(jsons, 'Workflow'),
  };
  released.register(policy.decide, setId);
  return policy;
}

/** If the engine returns no decision, the request is denied. */
function decideOrDeny(setId: string, request: CedarRequest): CedarAnswer {
  try {
    return decide(setId, request);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { allowed: false, policies: [], errors: [`the engine failed: ${message}`] };
  }
}

function decide(preparsedPolicySetId: string, request: CedarRequest): CedarAnswer {
  const { principal, action, resource, context, entities } = request;
  const answer = cedar.statefulIsAuthorized({
    principal: principal.uid,
    action: action.uid,
    resource: resource.uid,
    context: context as never,
    preparsedPolicySetId,
    entities: distinct(entities) as never,
  });
  if (answer.type === 'failure') {
    return { allowed: false, policies: [], errors: answer.errors.map(({ message }) => message) };
  }
  const { decision, diagnostics } = answer.response;
  return {
    allowed: decision === 'allow',
    policies: [...diagnostics.reason].toSorted(),
    errors: diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`),
  };
}

/** Validates a request against the schema, for tests and `ect policy test`. Returns what is wrong with it. */
export function requestFaults({ principal, action, resource, context, entities }: CedarRequest): readonly string[] {
  const answer = cedar.isAuthorized({
    principal: principal.uid,
    action: action.uid,
    resource: resource.uid,
    context: context as never,
    schema: SCHEMA,
    validateRequest: true,
    policies: { staticPolicies: '' },
    entities: distinct(entities).filter(({ uid }) => !isAction(uid)) as never,
  });
  return answer.type === 'failure' ? answer.errors.map(({ message }) => message) : [];
}

/** Actions are in the schema. */
function isAction({ type }: Uid): boolean {
  return type === 'ECT::Action';
}

interface CedarError {
  readonly message: string;
  readonly help?: string | null;
  readonly sourceLocations?: readonly { readonly start: number }[];
}

/** `offset`: of the piece in which it was found, in bytes. */
function problemOf(text: string, { message, help, sourceLocations }: CedarError, offset = 0): PolicyProblem {
  const place = placeOf(text, offset + (sourceLocations?.[0]?.start ?? 0));
  return { ...place, message: help === undefined || help === null ? message : `${message} (${help})` };
}
