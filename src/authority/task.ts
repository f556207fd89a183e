// Converts a token to a task of the graph: its name, its level, and what its policy claims allow.

import type { Task, TaskLevel } from '../dag/index.ts';
import type { Claims } from '../token/index.ts';
import type { GraphPolicy } from './context.ts';

/** The claims of a token and its key; `kid` is empty for an unsigned one. */
export interface TokenSubject {
  readonly claims: Claims;
  readonly kid: string;
}

/** The task of a token. `level` is what is known beyond its signature: L3 if it is recorded. */
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
  /** Whether the task compensates for another one. */
  readonly compensation?: true;
  /** Whether the task is a human review. */
  readonly review?: true;
}

/** The policy claims of a claim set. Absent members mean nothing. */
export function policyFacts({ policy, exec_act }: Claims, { reviewActions }: GraphPolicy): PolicyFacts {
  const decision = policy?.decision;
  return {
    ...(decision === undefined ? {} : { pol_decision: decision }),
    ...(policy?.compensation === true ? { compensation: true } : {}),
    ...(reviewActions.includes(exec_act) ? { review: true } : {}),
  };
}

/** The same for the rules of the graph. */
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
