// Checks the permission of every call that is not public, before any work for it. If the object of a call is known only later (the issuer
// of an item, the entry that is read), the procedure checks the permission itself, and its service lists the method in `asksItself`.

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
 * Rejects a call that the policy does not permit. A method that the policy model does not contain is never permitted. Returns the digest
 * of the policy that permits the call; undefined if the procedure checks the permission itself.
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

/** The items of a batch need the same permissions as single calls. */
function actionOf({ methods }: DescService, localName: string): Action | undefined {
  const name = methods.find((method) => method.localName === localName)?.name.replace(/^Batch/, '');
  return ACTIONS.find((action) => action === name);
}

/** Rejects verification for an audience that the caller may not use. Empty: the caller itself. */
export function demandVerify({ authorizer }: AuthorityContext, caller: Caller, audience: string): void {
  if (authorizer === undefined) return;
  const name = audience === '' && caller.kind !== 'anonymous' ? caller.id : audience;
  demandPermission(authorizer, caller, { action: 'Verify', resource: { kind: 'authority' }, context: { aud: [name] } });
}

/**
 * Rejects the recording of a token that the policy does not permit for this caller. The claims are not verified yet; the same bytes are
 * verified afterwards. Returns the digest of the policy that permits it.
 */
export function demandAppend(context: AuthorityContext, caller: Caller, token: string): string {
  const { authorizer, policy } = context;
  // The built-in policy does not use claims.
  if (authorizer === undefined || authorizer.isBuiltIn) return policyInForce(context);
  // A token that is too long is rejected later without being read.
  const { iss, aud, exec_act, wid } = peekClaims(token.length > policy.token.maxTokenBytes ? '' : token);
  const circumstances = { iss, aud, exec_act, wid };
  const resource = { kind: 'ledger' } as const;
  return demandPermission(authorizer, caller, { action: 'AppendLedger', resource, context: circumstances });
}
