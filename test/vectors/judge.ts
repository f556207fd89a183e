// What the token room and the procedure for graphs say about a vector, with no service around them.

import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { validateDag } from '../../src/authority/index.ts';
import type { ExpectedGraph, ExpectedVerdict, GraphVector, TokenVector, Trust, Vector } from '../../src/cli/vectors.ts';
import type { TaskName } from '../../src/dag/index.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { type Claims, isWithin, TOKEN_STEPS, type TokenPolicy, verifyToken } from '../../src/token/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { policy as defaults } from '../support/tokens.ts';
import { PROFILES } from './make/profiles.ts';

/** The verdict on a token, in the form in which vectors expect it. */
export function judgeToken(vector: TokenVector, trust: Trust): ExpectedVerdict {
  const { now, audience, inp_hash: inputHash, out_hash: outputHash } = vector;
  const question = { now, audience, inputHash, outputHash, purpose: 'presented' } as const;
  const verdict = verifyToken(vector.token, question, policyOf(vector), ringOf(trust));
  if (verdict.ok) {
    const { claims, level } = verdict.token;
    // nbf is judged and not answered.
    const { nbf: _, ...answered } = claims;
    return { valid: true, level, claims: present({ ...answered, policy: writePolicy(claims.policy) }) };
  }
  const { reason, metadata: facts } = verdict.rejection;
  const step = TOKEN_STEPS[verdict.outcomes.indexOf('FAIL')]?.name ?? 'none';
  const { claim } = facts;
  return { valid: false, reason, step, ...(claim === undefined ? {} : { claim }) };
}

/** The state of the graph that a bundle forms. A token that does not hold makes it invalid for the token's own reason. */
export async function judgeGraph(vector: GraphVector, trust: Trust): Promise<ExpectedGraph> {
  const { context } = await makeAuthority(undefined, { token: policyOf(vector) });
  const verifier = { ...context, keys: ringOf(trust), now: () => vector.now };
  const answer = await validateDag(
    verifier,
    { kind: 'bundle', tokens: vector.bundle },
    { signal: new AbortController().signal },
  );
  if ('rejection' in answer) {
    const violations = [{ reason: answer.rejection.reason, tasks: [] }];
    return { status: 'invalid', violations, unresolved: [], size: 0, depth: 0, roots: [], leaves: [] };
  }
  const { status, violations, unresolved, size, depth, roots, leaves } = answer.report;
  const named = violations.map(({ reason, tasks }) => ({ reason, tasks: idsOf(tasks) }));
  const ids = { unresolved: idsOf(unresolved), roots: idsOf(roots), leaves: idsOf(leaves) };
  return { status, violations: named, size, depth, ...ids };
}

/** Vectors name tasks by their `jti`. */
function idsOf(tasks: readonly TaskName[]): readonly string[] {
  return tasks.map(({ jti }) => jti);
}

/** What is absent is empty, undefined or false inside, and left out in vectors. */
function present(members: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== '' && value !== undefined && value !== false),
  );
}

function writePolicy(policy: Claims['policy']): object | undefined {
  if (policy === undefined) return undefined;
  return present({
    pol: policy.pol,
    pol_decision: policy.decision,
    pol_enforcer: policy.enforcer,
    pol_timestamp: policy.timestamp,
    compensation_required: policy.compensation,
    compensation_reason: policy.compensationReason,
  });
}

/** The policy of a verifier that has the settings of the vector's profile. */
function policyOf({ profile }: Vector): TokenPolicy {
  const settings = PROFILES[profile] ?? {};
  const list = (name: string) => settings[name]?.split(',');
  const levels = (list('ECT_MINIMUM_LEVELS') ?? []).map(
    (pair) => pair.split('=') as [string, TokenPolicy['minimumLevel']],
  );
  return {
    ...defaults,
    drafts: (list('ECT_DRAFTS') as TokenPolicy['drafts'] | undefined) ?? defaults.drafts,
    algorithms: list('ECT_ALGORITHMS') ?? defaults.algorithms,
    minimumLevel: (settings['ECT_MINIMUM_LEVEL'] as TokenPolicy['minimumLevel'] | undefined) ?? defaults.minimumLevel,
    minimumLevels: new Map(levels),
    ids: settings['ECT_UUIDS'] === 'off' ? 'text' : 'uuid',
  };
}

function ringOf({ issuers }: Trust): KeyRing {
  return new KeyRing(
    issuers.flatMap(({ iss: name, subjects, jwks }) => {
      const speaksFor = (iss: string) => (subjects === 'below' ? isWithin(iss, name) : iss === name);
      return jwks.keys.map((jwk) => {
        const publicKey = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
        const times = { notBefore: jwk['nbf'], notAfter: jwk['exp'], revokedAt: jwk['revoked_at'] };
        return { kid: String(jwk['kid']), publicKey, speaksFor, ...present(times) };
      });
    }),
  );
}
