// The built-in rules, as code. policy/default.cedar is equivalent, and a test compares their decisions: without a policy file no call
// pays for the engine.

import type { Caller, PermissionQuestion } from '../authority/index.ts';
import { isOwnName } from '../authority/index.ts';

/** The ids in policy/default.cedar. */
const NOT_PERMITTED: readonly string[] = [];

/** The policies that permit this; none denies it. */
export function builtInPolicies(
  caller: Caller,
  { action, resource }: PermissionQuestion,
  ownIssuer: string,
  isAdministrator: boolean,
): readonly string[] {
  switch (action) {
    case 'Issue':
      return resource.kind === 'issuer' && isOwnName(caller, resource.iss, ownIssuer)
        ? issuePolicies(caller, resource.iss, ownIssuer)
        : NOT_PERMITTED;
    case 'Verify':
    case 'ValidateDAG':
    case 'AppendLedger':
      return VERIFY_AND_APPEND;
    case 'GetEntry':
    case 'GetRecording':
    case 'ListEntries':
    case 'GetWorkflow':
    case 'GetCheckpoint':
    case 'GetInclusionProof':
    case 'GetConsistencyProof':
      return READ;
    case 'MarkCompromised':
    case 'ListKeys':
    case 'RotateKey':
    case 'RetireKey':
    case 'RevokeKey':
      return isAdministrator ? ADMINISTER : NOT_PERMITTED;
  }
}

const AS_ITSELF = ['issue-as-itself'] as const;
const BELOW = ['issue-below-the-authority'] as const;
const BOTH = [...AS_ITSELF, ...BELOW] as const;
const VERIFY_AND_APPEND = ['verify-and-append'] as const;
const READ = ['read-the-ledger'] as const;
const ADMINISTER = ['administer'] as const;

function issuePolicies(caller: Caller, iss: string, ownIssuer: string): readonly string[] {
  if (caller.kind !== 'anonymous') return AS_ITSELF;
  return iss === ownIssuer ? BOTH : BELOW;
}
