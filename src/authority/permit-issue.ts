// The permission to issue: which `iss` a caller may use, for how long, and under which conditions.

import { EctError, reject } from '../errors.ts';
import type { Level } from '../token/index.ts';
import { BUILT_IN_POLICY, type Circumstances, notAuthorized, type Obligations } from './authorizer.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import type { IssueInput } from './issue-input.ts';
import { defaultIssuer, issuerFor, rejectIssuer } from './issuer.ts';

/** The conditions of a permission. */
export interface IssuePermit {
  readonly iss: string;
  /** The default lifetime. */
  readonly defaultTtlSeconds: number;
  /** The digest of the policy that permits it. */
  readonly policy: string;
}

const LEVEL_NUMBERS: Readonly<Record<Level, number>> = { L1: 1, L2: 2, L3: 3 };

/**
 * Rejects a request that is not permitted: ISSUER_NOT_ALLOWED under the built-in rules, and for an `iss` without keys of this service;
 * NOT_AUTHORIZED by a policy of the operator.
 */
export function permitIssue(context: AuthorityContext, caller: Caller, input: IssueInput): IssuePermit {
  const { authorizer, policy } = context;
  if (authorizer === undefined) {
    const iss = issuerFor(caller, input.iss, policy.issuer);
    return { iss, defaultTtlSeconds: policy.defaultTtlSeconds, policy: BUILT_IN_POLICY };
  }
  const iss = input.iss === '' ? defaultIssuer(caller, policy.issuer) : input.iss;
  const obligations = authorizer.obligationsOf(caller);
  const defaultTtlSeconds = Math.min(policy.defaultTtlSeconds, obligations.maxTtlSeconds ?? Number.POSITIVE_INFINITY);
  const ttl = input.ttlSeconds ?? defaultTtlSeconds;
  const circumstances = circumstancesOf(input, iss, ttl);
  const question = { action: 'Issue', resource: { kind: 'issuer', iss }, context: circumstances } as const;
  const decision = authorizer.authorize(caller, question);
  if (!decision.allowed) {
    authorizer.rejected(caller, question, decision);
    throw authorizer.isBuiltIn ? rejectIssuer(caller, iss, policy.issuer) : notAuthorized();
  }
  // A policy cannot give this service the keys of another party.
  if (context.ownKeys?.speakFor(iss) === false) throw unspoken(iss);
  const broken = brokenObligation(circumstances, obligations);
  if (broken !== undefined) {
    const { limit, message, remedy } = broken;
    authorizer.rejected(caller, question, { ...decision, allowed: false, policies: [limit] });
    throw new EctError({ ...reject('NOT_AUTHORIZED', message), remedy });
  }
  return { iss, defaultTtlSeconds, policy: decision.digest };
}

function circumstancesOf(input: IssueInput, iss: string, ttl: number) {
  return {
    iss,
    aud: input.aud,
    exec_act: input.execAct,
    wid: input.wid,
    ttl,
    level: LEVEL_NUMBERS[input.level],
    inp_hash: input.inpHash !== '',
    out_hash: input.outHash !== '',
  } satisfies Circumstances;
}

function unspoken(iss: string): EctError {
  const message = 'No key of this service speaks for this issuer.';
  return new EctError(reject('ISSUER_NOT_ALLOWED', message, { iss: iss.slice(0, 256) }));
}

/** The rejection for an unmet condition: which one for the operator, a message and a remedy for the caller. */
interface BrokenObligation {
  readonly limit: string;
  readonly message: string;
  readonly remedy: string;
}

/** Which condition of the permission the requested token does not meet. */
export function brokenObligation(
  { ttl = 0, level = 0 }: Circumstances,
  { maxTtlSeconds = Number.POSITIVE_INFINITY, minimumLevel = 1 }: Obligations,
): BrokenObligation | undefined {
  if (ttl > maxTtlSeconds) {
    return {
      limit: `limits: max_ttl_seconds ${maxTtlSeconds}`,
      message: `This caller may issue tokens that live ${maxTtlSeconds} s at most.`,
      remedy: `Ask for a ttl of ${maxTtlSeconds} s or less, or leave it out.`,
    };
  }
  if (level >= minimumLevel) return undefined;
  const name = `L${minimumLevel}`;
  return {
    limit: `limits: minimum_level ${name}`,
    message: `This caller may issue tokens of level ${name} only, or above.`,
    remedy: `Ask for level ${name}${minimumLevel < 3 ? ' or above' : ''}.`,
  };
}
