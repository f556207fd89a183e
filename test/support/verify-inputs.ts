// Generates thousands of questions: callers of every kind, similar names, and every action.

import {
  ACTIONS,
  type Action,
  type AskedEntry,
  type Caller,
  type PermissionQuestion,
  proofBy,
} from '../../src/authority/index.ts';
import { workload } from './callers.ts';
import { fc } from './random.ts';

export const CALLERS: readonly Caller[] = [
  { kind: 'anonymous' },
  workload('spiffe://prod.example/a'),
  workload('spiffe://prod.example/a/b'),
  workload('spiffe://other.example/a'),
  workload('spiffe://prod.example/anonymous'),
  // No service creates such a caller; it must not count as a workload.
  { kind: 'oidc', id: 'spiffe://prod.example/a', proof: proofBy('jwt', 'https://idp.example') },
  { ...workload('spiffe://prod.example/a'), proof: proofBy('forwarded', 'spiffe://prod.example/proxy') },
];

export const ISSUERS = ['urn:ect:dev', 'https://id.example/authority', 'spiffe://prod.example/a'] as const;

/** Names of a caller, of the authority, below it, or similar to these. */
const name = fc.oneof(
  fc.constantFrom(...ISSUERS, ...CALLERS.flatMap((caller) => (caller.kind === 'anonymous' ? [] : [caller.id]))),
  fc
    .tuple(
      fc.constantFrom(...ISSUERS, 'spiffe://prod.example', 'spiffe://prod.example/a', 'anonymous', ''),
      fc.constantFrom(':', '/', '//', '', '?', ';', '%2f'),
      fc.constantFrom('x', 'a/b', '..', '../a', '.', '%2e%2e', 'a;p', '', 'a\n', 'ä'),
    )
    .map((parts) => parts.join('')),
);

const wid = fc.constantFrom('', 'w1', 'w2', 'spiffe://prod.example/a');
const kind = fc.constantFrom<AskedEntry['kind']>('task', 'taint', 'key', 'loss');
const aud = fc.subarray(['https://a.example', 'https://b.example', 'spiffe://prod.example/a']);
const execAct = fc.constantFrom('pay', 'pay_invoice', 'execute_trade', 'Pay', '');

/** A question in the form in which the service asks it. */
function questionFor(action: Action): fc.Arbitrary<PermissionQuestion> {
  switch (action) {
    case 'Issue':
      return fc
        .record({
          iss: name,
          aud,
          exec_act: execAct,
          wid,
          ttl: fc.constantFrom(1, 300, 301, 600, 86_400),
          level: fc.constantFrom(1, 2, 3),
          inp_hash: fc.boolean(),
          out_hash: fc.boolean(),
        })
        .map((context) => ({ action, resource: { kind: 'issuer', iss: context.iss }, context }));
    case 'AppendLedger':
      return fc
        .record({ iss: name, aud, exec_act: execAct, wid })
        .map((context) => ({ action, resource: { kind: 'ledger' }, context }));
    case 'Verify':
      return fc.record({ aud }).map((context) => ({ action, resource: { kind: 'authority' }, context }));
    case 'ValidateDAG':
      return fc.tuple(fc.boolean(), wid).map(([owns_workflow, id]) => ({
        action,
        resource: id === '' ? { kind: 'authority' } : { kind: 'workflow', wid: id },
        context: { owns_workflow },
      }));
    case 'GetWorkflow':
      return fc.tuple(fc.boolean(), wid).map(([owns_workflow, id]) => ({
        action,
        resource: { kind: 'workflow', wid: id },
        context: { owns_workflow },
      }));
    case 'GetEntry':
    case 'GetRecording':
    case 'ListEntries':
    case 'GetInclusionProof':
      return fc
        .tuple(fc.record({ kind, iss: name, wid }), fc.boolean())
        .map(([entry, owns_workflow]) => ({ action, resource: { kind: 'entry', entry }, context: { owns_workflow } }));
    case 'GetCheckpoint':
    case 'GetConsistencyProof':
      return fc.constant({ action, resource: { kind: 'ledger' }, context: {} });
    default:
      return fc.constant({ action, resource: { kind: 'authority' }, context: {} });
  }
}

/** Generates a question of any caller. `isAdministrator`: whether ECT_ADMINS names the caller. */
export const asked = fc.record({
  caller: fc.constantFrom(...CALLERS),
  isAdministrator: fc.boolean(),
  question: fc.constantFrom(...ACTIONS).chain(questionFor),
});
