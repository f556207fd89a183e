// Converts callers and resources to entities of Cedar. Pure. A caller of one kind never becomes an entity of another kind, whatever its
// name looks like.

import {
  type Action,
  type Caller,
  type Circumstances,
  defaultIssuer,
  proofOf,
  type Resource,
} from '../authority/index.ts';
import { namesAbove, trustDomainOf } from '../token/index.ts';

/** The name of an entity in Cedar's JSON form. */
export interface Uid {
  readonly type: string;
  readonly id: string;
}

export interface Entity {
  readonly uid: Uid;
  readonly attrs: Readonly<Record<string, CedarValue>>;
  readonly parents: readonly Uid[];
}

export type CedarValue = string | number | boolean | readonly string[] | { readonly __entity: Uid };

/** The group of the callers that ECT_ADMINS names. */
export const ADMINISTRATORS = 'administrators';

/** Groups of actions. */
const GROUPS: Readonly<Record<Action, 'write' | 'verify' | 'read' | 'administer'>> = {
  Issue: 'write',
  AppendLedger: 'write',
  Verify: 'verify',
  ValidateDAG: 'verify',
  GetEntry: 'read',
  GetRecording: 'read',
  ListEntries: 'read',
  GetWorkflow: 'read',
  GetCheckpoint: 'read',
  GetInclusionProof: 'read',
  GetConsistencyProof: 'read',
  MarkCompromised: 'administer',
  ListKeys: 'administer',
  RotateKey: 'administer',
  RetireKey: 'administer',
  RevokeKey: 'administer',
};

function uid(type: string, id: string): Uid {
  return { type: `ECT::${type}`, id };
}

/** The entity of a caller, by the kind of its authentication only. */
function callerUid(caller: Caller): Uid {
  switch (caller.kind) {
    case 'spiffe':
      return uid('Workload', caller.id);
    case 'oidc':
      return uid('OidcSubject', caller.id);
    case 'anonymous':
      return uid('Anonymous', 'anonymous');
  }
}

/** A caller with its groups. `ownIssuer`: the name of the authority. */
export function callerEntity(caller: Caller, groups: readonly string[], ownIssuer: string): Entity {
  const iss = { __entity: uid('Issuer', defaultIssuer(caller, ownIssuer)) };
  const parents = [...domainsOf(caller), ...groups.map((name) => uid('Group', name))];
  return { uid: callerUid(caller), attrs: { iss }, parents };
}

function domainsOf(caller: Caller): readonly Uid[] {
  switch (caller.kind) {
    case 'spiffe':
      return [uid('TrustDomain', trustDomainOf(caller.id))];
    case 'oidc':
      return [uid('Provider', caller.proof.by)];
    case 'anonymous':
      return [];
  }
}

export function issuerEntity(iss: string): Entity {
  return { uid: uid('Issuer', iss), attrs: {}, parents: namesAbove(iss).map((name) => uid('Issuer', name)) };
}

const LEDGER = uid('Ledger', 'ledger');
const ENTRY = uid('Entry', 'entry');
const AUTHORITY: Entity = { uid: uid('Authority', 'authority'), attrs: {}, parents: [] };

/** The resource of a request, and its parents. The first one is the resource itself. */
export function resourceEntities(resource: Resource): readonly [Entity, ...Entity[]] {
  switch (resource.kind) {
    case 'authority':
      return [AUTHORITY];
    case 'ledger':
      return [{ uid: LEDGER, attrs: {}, parents: [] }];
    case 'issuer':
      return [issuerEntity(resource.iss)];
    case 'workflow':
      return [workflowEntity(resource.wid)];
    case 'entry': {
      const { kind, iss, wid } = resource.entry;
      if (kind !== 'task') return [{ uid: ENTRY, attrs: { kind }, parents: [LEDGER] }];
      const issuer = issuerEntity(iss);
      const workflow = wid === '' ? [] : [workflowEntity(wid)];
      const parents = [LEDGER, issuer.uid, ...workflow.map((entity) => entity.uid)];
      return [{ uid: ENTRY, attrs: { kind }, parents }, issuer, ...workflow];
    }
  }
}

function workflowEntity(wid: string): Entity {
  return { uid: uid('Workflow', wid), attrs: {}, parents: [LEDGER] };
}

/** An action with its group. */
export function actionEntity(action: Action): Entity {
  return { uid: uid('Action', action), attrs: {}, parents: [uid('Action', GROUPS[action])] };
}

/** How a caller was authenticated, and by whom. */
export function proofPair(caller: Caller): readonly [proof: string, by: string] {
  const proof = proofOf(caller);
  return proof === undefined ? ['none', ''] : [proof.method, proof.by];
}

/** The circumstances in Cedar's form: a name is an entity. */
export function contextOf(caller: Caller, { iss, ...rest }: Circumstances): Readonly<Record<string, CedarValue>> {
  const [proof, proof_by] = proofPair(caller);
  const context: Record<string, CedarValue> = { proof, proof_by };
  if (iss !== undefined) context['iss'] = { __entity: uid('Issuer', iss) };
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) context[name] = value;
  return context;
}

/** Each entity once, because Cedar rejects duplicates. */
export function distinct(entities: readonly Entity[]): readonly Entity[] {
  const byName = new Map(entities.map((entity) => [`${entity.uid.type} ${entity.uid.id}`, entity]));
  return [...byName.values()];
}
