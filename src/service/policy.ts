// The current policy.

import { type Caller, callerName, describeResource } from '../authority/index.ts';
import { administrators } from '../callers/administrators.ts';
import type { Config } from '../config/index.ts';
import type { DocumentStore } from '../ledger/index.ts';
import { BUILT_IN, KeptPolicies, PolicyAuthorizer, type PolicyInForce } from '../policy/index.ts';
import type { Events } from '../telemetry/events.ts';

/** The current policy, and the memory of all earlier ones. */
export interface PolicyParts {
  readonly authorizer: PolicyAuthorizer;
  readonly policies: KeptPolicies;
  readonly isAdministrator: (caller: Caller) => boolean;
}

/** Opens the policy: reports which one is current, stores it beside the ledger, and reports what it rejects. */
export function openPolicy(
  config: Config,
  inForce: PolicyInForce | undefined,
  documents: DocumentStore,
  events: Events,
): PolicyParts {
  const isAdministrator = administrators(config.administrators);
  const policies = new KeptPolicies(documents);
  const authorizer = new PolicyAuthorizer(
    {
      issuer: config.issuer,
      isAdministrator,
      onRejected: ({ caller, question, decision }) =>
        events.policyRejected({
          caller: callerName(caller),
          action: question.action,
          resource: describeResource(question.resource),
          ...decision,
        }),
    },
    inForce ?? BUILT_IN,
  );
  if (inForce !== undefined) announce(inForce, policies, events);
  return { authorizer, policies, isAdministrator };
}

/** Replaces the current policy. */
export function replacePolicy({ authorizer, policies }: PolicyParts, next: PolicyInForce, events: Events): void {
  authorizer.replace(next);
  announce(next, policies, events);
}

function announce({ digest, texts }: PolicyInForce, policies: KeptPolicies, events: Events): void {
  if (texts !== undefined) policies.add(texts);
  events.policyInForce(digest);
}
