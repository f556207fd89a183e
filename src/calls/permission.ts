// Checks the permission of every call that is not public, before any work for it. If the object of a call is known only later (the
// issuer of an item, the entry that is read), the procedure checks the permission itself, and its service declares that (`asksItself`).

import type { DescService } from '@bufbuild/protobuf';
import {
  ACTIONS,
  type Action,
  type AuthorityContext,
  type Authorizer,
  BUILT_IN_POLICY,
  type Caller,
  demandPermission,
  notAuthorized,
  policyInForce,
  type Resource,
} from '../authority/index.ts';
import { peekClaims } from '../token/index.ts';
import type { AnyService } from './call.ts';

const ABOUT_LEDGER: ReadonlySet<Action> = new Set(['GetCheckpoint', 'GetConsistencyProof']);

/**
 * Rejects a call that the policy does not permit. A method that no policy knows of is permitted by none. Answers the digest of the policy that
 * permits it; undefined where the procedure asks itself.
 */
export function demandMethod(
  authorizer: Authorizer | undefined,
  service: AnyService,
  localName: string,
  caller: Caller,
): string | undefined {
  if (service.asksItself?.includes(localName) === true) return undefined;
  if (authorizer === undefined) return BUILT_IN_POLICY;
  const action = actionOf(service.descriptor, localName);
  if (action === undefined) throw notAuthorized();
  const resource: Resource = { kind: ABOUT_LEDGER.has(action) ? 'ledger' : 'authority' };
  return demandPermission(authorizer, caller, { action, resource, context: {} });
}

/** The items of a batch are asked about as single calls. */
function actionOf({ methods }: DescService, localName: string): Action | undefined {
  const name = methods.find((method) => method.localName === localName)?.name.replace(/^Batch/, '');
  return ACTIONS.find((action) => action === name);
}

/** Rejects to verify as an audience that the caller may not be. Empty: the caller itself. */
export function demandVerify({ authorizer }: AuthorityContext, caller: Caller, audience: string): void {
  if (authorizer === undefined) return;
  const name = audience === '' && caller.kind !== 'anonymous' ? caller.id : audience;
  demandPermission(authorizer, caller, { action: 'Verify', resource: { kind: 'authority' }, context: { aud: [name] } });
}

/**
 * Rejects to record what the caller may not have recorded. What the token says is not verified yet: what follows verifies the same bytes.
 * Answers the digest of the policy that permits it.
 */
export function demandAppend(context: AuthorityContext, caller: Caller, token: string): string {
  const { authorizer, policy } = context;
  // The built-in rules look at nothing that a token says.
  if (authorizer === undefined || authorizer.isBuiltIn) return policyInForce(context);
  // One that is too long is rejected unread in any case.
  const { iss, aud, exec_act, wid } = peekClaims(token.length > policy.token.maxTokenBytes ? '' : token);
  const circumstances = { iss, aud, exec_act, wid };
  const resource = { kind: 'ledger' } as const;
  return demandPermission(authorizer, caller, { action: 'AppendLedger', resource, context: circumstances });
}
