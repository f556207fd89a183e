// A token as a task of the graph: its place, its backing, and what its policy claims say about following and being followed.

import type { Task, TaskLevel } from '../dag/index.ts';
import type { Claims } from '../token/index.ts';
import type { GraphPolicy } from './context.ts';

/** What a token says and which key signed it; `kid` is empty for an unsigned one. */
export interface TokenSubject {
  readonly claims: Claims;
  readonly kid: string;
}

/** The task that a token is about. `level` is what is known of it beyond its signature: L3 where it is recorded. */
export function taskOf({ claims, kid }: TokenSubject, policy: GraphPolicy, level?: TaskLevel): Task {
  const { jti, wid, iss, iat, pred, exec_act } = claims;
  return {
    jti,
    wid,
    iss,
    iat,
    pred,
    exec_act,
    kid,
    level: level ?? (kid === '' ? 'L1' : 'L2'),
    ...asTaskFacts(policyFacts(claims, policy)),
  };
}

/** The policy claims that the rules of the graph use. They are signed by the issuer; the caller cannot change them. */
export interface PolicyFacts {
  readonly pol_decision?: string;
  /** The task makes up for another one. */
  readonly compensation?: true;
  /** People look at what came before. */
  readonly review?: true;
}

/** What a claim set says of its policy. Absent members say nothing. */
export function policyFacts({ policy, exec_act }: Claims, { reviewActions }: GraphPolicy): PolicyFacts {
  const decision = policy?.decision;
  return {
    ...(decision === undefined ? {} : { pol_decision: decision }),
    ...(policy?.compensation === true ? { compensation: true } : {}),
    ...(reviewActions.includes(exec_act) ? { review: true } : {}),
  };
}

/** The same as the graph sees it. */
export function asTaskFacts({
  pol_decision,
  compensation,
  review,
}: PolicyFacts): Pick<Task, 'pol_decision' | 'isRemedy'> {
  return {
    ...(pol_decision === undefined ? {} : { pol_decision }),
    ...(compensation === undefined && review === undefined ? {} : { isRemedy: true }),
  };
}
