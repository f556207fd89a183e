// Decides by the policy in force: the built-in rules, or a policy file evaluated by Cedar, with a cache of decisions.

import {
  type Authorizer,
  BUILT_IN_POLICY,
  type Caller,
  type Circumstances,
  type Decision,
  type DecisionListener,
  type Obligations,
  type PermissionQuestion,
  type Resource,
} from '../authority/index.ts';
import { builtInPolicies } from './built-in.ts';
import { DecisionCache, keyOf } from './decision-cache.ts';
import {
  ADMINISTRATORS,
  actionEntity,
  callerEntity,
  contextOf,
  type Entity,
  issuerEntity,
  proofPair,
  resourceEntities,
} from './entities.ts';
import type { CedarRequest, CompiledPolicy } from './policy-file.ts';
import type { PolicyTexts } from './policy-texts.ts';
import { type LimitsTable, NO_LIMITS } from './table.ts';

/** The parts of the policy in force. */
export interface PolicyInForce {
  /** Undefined: the built-in rules. */
  readonly policy: CompiledPolicy | undefined;
  readonly limits: LimitsTable;
  /** The digest of the texts of both: see digestOfPolicy. */
  readonly digest: string;
  /** Undefined: the built-in rules. */
  readonly texts?: PolicyTexts | undefined;
}

/** A rejection, as reported to the operator. */
export interface PolicyRejection {
  readonly caller: Caller;
  readonly question: PermissionQuestion;
  readonly decision: Decision;
}

export interface PolicyAuthorizerOptions {
  /** The name of the authority. */
  readonly issuer: string;
  readonly isAdministrator: (caller: Caller) => boolean;
  readonly onRejected: (rejection: PolicyRejection) => void;
}

/** The built-in rules, without limits. */
export const BUILT_IN: PolicyInForce = { policy: undefined, limits: NO_LIMITS, digest: BUILT_IN_POLICY };

/** The share of the latest decision in the average, and how many times the average a decision may count. */
const NEW_SHARE = 1 / 16;
const FAR_ABOVE = 4;

/** The cached data of a caller while one policy is in force. */
interface KnownCaller {
  readonly entity: Entity;
  readonly obligations: Obligations;
  /** The prefix of the key of each of its decisions. */
  readonly key: string;
}

export class PolicyAuthorizer implements Authorizer {
  readonly #options: PolicyAuthorizerOptions;
  #inForce: PolicyInForce;
  /** The digest of the policy in force. */
  #decisions = new DecisionCache();
  #callers = new WeakMap<Caller, KnownCaller>();
  readonly #onComputed: DecisionListener[] = [];
  /** Milliseconds of a decision, on average. */
  #usualMs = 0;

  constructor(options: PolicyAuthorizerOptions, inForce: PolicyInForce = BUILT_IN) {
    this.#options = options;
    this.#inForce = inForce;
  }

  /** Replaces the policy in force, and empties the cache. */
  replace(inForce: PolicyInForce): void {
    this.#inForce = inForce;
    this.#decisions = new DecisionCache();
    this.#callers = new WeakMap();
  }

  get isBuiltIn(): boolean {
    return this.#inForce.policy === undefined;
  }

  get digest(): string {
    return this.#inForce.digest;
  }

  authorize(caller: Caller, question: PermissionQuestion): Decision {
    const { policy, digest } = this.#inForce;
    if (policy === undefined) {
      const { issuer, isAdministrator } = this.#options;
      const policies = builtInPolicies(caller, question, issuer, isAdministrator(caller));
      return { allowed: policies.length > 0, policies, errors: [], digest };
    }
    const known = this.#known(caller);
    const key = this.#keyOf(known, policy, question);
    const before = this.#decisions.get(key);
    if (before !== undefined) return before;
    const beganMs = performance.now();
    const decision = { ...policy.decide(requestOf(caller, known.entity, question)), digest };
    this.#reportComputed(caller, performance.now() - beganMs);
    this.#decisions.put(key, decision);
    return decision;
  }

  onComputed(listener: DecisionListener): void {
    this.#onComputed.push(listener);
  }

  /** What is far above the average is a pause of the garbage collector, or of the machine, and not of this caller. */
  #reportComputed(caller: Caller, ms: number): void {
    const boundedMs = this.#usualMs === 0 ? ms : Math.min(ms, FAR_ABOVE * this.#usualMs);
    this.#usualMs += (boundedMs - this.#usualMs) * NEW_SHARE;
    for (const listener of this.#onComputed) listener(caller, boundedMs);
  }

  asksFor(circumstance: keyof Circumstances): boolean {
    return this.#inForce.policy?.circumstances.includes(circumstance) === true;
  }

  obligationsOf(caller: Caller): Obligations {
    return this.#inForce.limits === NO_LIMITS ? NO_OBLIGATIONS : this.#known(caller).obligations;
  }

  rejected(caller: Caller, question: PermissionQuestion, decision: Decision): void {
    this.#options.onRejected({ caller, question, decision });
  }

  #known(caller: Caller): KnownCaller {
    let known = this.#callers.get(caller);
    if (known === undefined) {
      const { issuer, isAdministrator } = this.#options;
      const { limits } = this.#inForce;
      const groups = [...limits.groupsOf(caller), ...(isAdministrator(caller) ? [ADMINISTRATORS] : [])];
      const entity = callerEntity(caller, groups, issuer);
      const { type, id } = entity.uid;
      known = {
        entity,
        obligations: limits.obligationsOf(caller, groups),
        key: keyOf([type, id, ...proofPair(caller)]),
      };
      this.#callers.set(caller, known);
    }
    return known;
  }

  /** Everything that the decision can depend on. Our own words end with a space, other texts begin with their length. */
  #keyOf({ key }: KnownCaller, policy: CompiledPolicy, { action, resource, context }: PermissionQuestion): string {
    let text = `${key}${action} ${resource.kind} ${resourceKey(resource, policy)}`;
    for (const name of policy.circumstances) {
      const value = context[name];
      if (value === undefined) continue;
      if (name === 'iss' && resource.kind === 'issuer' && resource.iss === value) text += 'same ';
      else text += `${name} ${typeof value === 'object' ? keyOf(value) : field(String(value))}`;
    }
    return text;
  }
}

const NO_OBLIGATIONS: Obligations = {};

function resourceKey(resource: Resource, policy: CompiledPolicy): string {
  switch (resource.kind) {
    case 'authority':
    case 'ledger':
      return '';
    case 'issuer':
      return policy.asksForIssuer ? field(resource.iss) : '';
    case 'workflow':
      return policy.asksForWorkflow ? field(resource.wid) : '';
    case 'entry': {
      const { kind, iss, wid } = resource.entry;
      return `${kind} ${policy.asksForIssuer ? field(iss) : ''} ${policy.asksForWorkflow ? field(wid) : ''}`;
    }
  }
}

function field(text: string): string {
  return `${text.length}:${text}`;
}

/**
 * The request in Cedar's form.
 *
 * @internal Exported because a test compares it with the schema of policies.
 */
export function requestOf(caller: Caller, principal: Entity, question: PermissionQuestion): CedarRequest {
  const action = actionEntity(question.action);
  const [resource, ...around] = resourceEntities(question.resource);
  const { iss } = question.context;
  const names = [principal.attrs['iss'], iss === undefined ? undefined : contextOf(caller, { iss })['iss']];
  const issuers = names.flatMap((name) => (isEntity(name) ? [issuerEntity(name.__entity.id)] : []));
  return {
    principal,
    action,
    resource,
    context: contextOf(caller, question.context),
    entities: [principal, action, resource, ...around, ...issuers],
  };
}

function isEntity(value: unknown): value is { readonly __entity: { readonly id: string } } {
  return typeof value === 'object' && value !== null && '__entity' in value;
}
