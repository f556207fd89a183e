// The policy that is in force.

import { callerName, resourceName } from '../authority/index.ts';
import { administrators } from '../callers/administrators.ts';
import type { Config } from '../config/index.ts';
import { BUILT_IN, PolicyAuthorizer, type PolicyInForce } from '../policy/index.ts';
import type { Events } from '../telemetry/events.ts';

/** Says which policy is in force, and tells of what it rejects. */
export function openAuthorizer(config: Config, inForce: PolicyInForce | undefined, events: Events): PolicyAuthorizer {
  const authorizer = new PolicyAuthorizer(
    {
      issuer: config.issuer,
      isAdministrator: administrators(config.administrators),
      onRejected: ({ caller, question, decision }) =>
        events.policyRejected({
          caller: callerName(caller),
          action: question.action,
          resource: resourceName(question.resource),
          ...decision,
        }),
    },
    inForce ?? BUILT_IN,
  );
  if (inForce !== undefined) events.policyInForce(inForce.digest);
  return authorizer;
}
