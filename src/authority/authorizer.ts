// Port: decides whether a caller may do something. Requests use the terms of the API and of the draft; adapters decide.

import { EctError, reject } from '../errors.ts';
import type { Caller } from './caller.ts';

/** What can be permitted: the methods, by their names in the API. An item of a batch needs the same permission as a single call. */
export const ACTIONS = [
  'Issue',
  'Verify',
  'ValidateDAG',
  'AppendLedger',
  'GetEntry',
  'GetRecording',
  'ListEntries',
  'GetWorkflow',
  'GetCheckpoint',
  'GetInclusionProof',
  'GetConsistencyProof',
  'MarkCompromised',
  'ListKeys',
  'RotateKey',
  'RetireKey',
  'RevokeKey',
] as const;

export type Action = (typeof ACTIONS)[number];

/** An entry as permissions see it. */
export interface AskedEntry {
  readonly kind: 'task' | 'taint' | 'key' | 'loss';
  /** The issuer of a task; of other entries the administrator that made them. */
  readonly iss: string;
  /** Empty: none. */
  readonly wid: string;
}

/** The object of the action. */
export type Resource =
  | { readonly kind: 'authority' }
  | { readonly kind: 'ledger' }
  /** The name that a token is to carry. */
  | { readonly kind: 'issuer'; readonly iss: string }
  | { readonly kind: 'workflow'; readonly wid: string }
  | { readonly kind: 'entry'; readonly entry: AskedEntry };

/** The context of the action, by the names of the draft. The members depend on the action. */
export interface Circumstances {
  readonly iss?: string;
  readonly aud?: readonly string[];
  readonly exec_act?: string;
  /** Empty: none. */
  readonly wid?: string;
  /** In seconds. */
  readonly ttl?: number;
  /** 1 to 3. */
  readonly level?: number;
  /** Whether the hash is present. */
  readonly inp_hash?: boolean;
  readonly out_hash?: boolean;
  /** Whether the first task that was recorded in the workflow is the caller's own. */
  readonly owns_workflow?: boolean;
}

/** A resource for people. */
export function describeResource(resource: Resource): string {
  switch (resource.kind) {
    case 'issuer':
      return `issuer ${resource.iss}`;
    case 'workflow':
      return `workflow ${resource.wid}`;
    case 'entry':
      return `entry ${resource.entry.kind} of ${resource.entry.iss}`;
    default:
      return resource.kind;
  }
}

export interface PermissionQuestion {
  readonly action: Action;
  readonly resource: Resource;
  readonly context: Circumstances;
}

export interface Decision {
  readonly allowed: boolean;
  /** The policies that decided. Empty: none permits it. */
  readonly policies: readonly string[];
  /** Policies that could not be evaluated; they decide nothing. */
  readonly errors: readonly string[];
  /** Of the policy as a whole. */
  readonly digest: string;
}

/** Further conditions of a permission. Undefined: none. */
export interface Obligations {
  readonly maxTtlSeconds?: number | undefined;
  /** From 1 to 3. */
  readonly minimumLevel?: number | undefined;
  readonly callsPerSecond?: number | undefined;
  /** The burst: how many calls may be made at once. */
  readonly burst?: number | undefined;
  readonly concurrentCalls?: number | undefined;
}

/**
 * Decides synchronously. The same request gets the same decision under one policy. Everything that is not permitted, or cannot be
 * decided, is denied. Never throws.
 */
export interface Authorizer {
  authorize(caller: Caller, question: PermissionQuestion): Decision;
  /** Whether the decision can depend on this member of the context. Members that are expensive to compute are computed only then. */
  asksFor(circumstance: keyof Circumstances): boolean;
  obligationsOf(caller: Caller): Obligations;
  /** Whether the rules are the built-in ones: every identified caller reads everything. */
  readonly isBuiltIn: boolean;
  /** The digest of the policy in force, as in its decisions. */
  readonly digest: string;
  /** Reports a rejection to the operator. */
  rejected(caller: Caller, question: PermissionQuestion, decision: Decision): void;
  /** Calls `listener` for each decision that is not cached, with the milliseconds that it took: its caller must pay for them. */
  onComputed?(listener: DecisionListener): void;
}

export type DecisionListener = (caller: Caller, ms: number) => void;

/** Used instead of a digest for the built-in rules. */
export const BUILT_IN_POLICY = 'built-in';

/** The digest of the policy in force. */
export function policyInForce({ authorizer }: { readonly authorizer?: Authorizer | undefined }): string {
  return authorizer?.digest ?? BUILT_IN_POLICY;
}

/**
 * Rejects what the policy does not permit. The caller only learns that it may not; the operator gets the policy that decided. Returns the
 * digest of the policy that permits it.
 */
export function demandPermission(
  authorizer: Authorizer | undefined,
  caller: Caller,
  question: PermissionQuestion,
): string {
  if (authorizer === undefined) return BUILT_IN_POLICY;
  const decision = authorizer.authorize(caller, question);
  if (decision.allowed) return decision.digest;
  authorizer.rejected(caller, question, decision);
  throw notAuthorized();
}

/** The same as a return value. */
export function isPermitted(authorizer: Authorizer, caller: Caller, question: PermissionQuestion): boolean {
  const decision = authorizer.authorize(caller, question);
  if (!decision.allowed) authorizer.rejected(caller, question, decision);
  return decision.allowed;
}

export function notAuthorized(): EctError {
  return new EctError(reject('NOT_AUTHORIZED', 'The policy of this service does not permit this call.'));
}
