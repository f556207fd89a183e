// Converts the provenance of an entry into a message, for those who may see it: administrators, the caller that requested the entry, and
// the workload that issued the token. Others do not even learn whether there is any.

import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type AuthorityContext,
  type Caller,
  defaultIssuer,
  type Provenance,
  readProvenance,
} from '../authority/index.ts';
import { CallerProof, ProofStrength, type ProvenanceSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type LedgerRecord, statedProvenance } from '../ledger/index.ts';

export type ProvenanceFields = Exclude<MessageInitShape<typeof ProvenanceSchema>, { readonly $typeName: string }>;

const PROOFS: Readonly<Record<Provenance['proof'], CallerProof>> = {
  none: CallerProof.NONE,
  mtls: CallerProof.MTLS,
  jwt: CallerProof.JWT,
  wimse: CallerProof.WIMSE,
  forwarded: CallerProof.FORWARDED,
  unix: CallerProof.UNIX,
};

const STRENGTHS: Readonly<Record<Provenance['strength'], ProofStrength>> = {
  none: ProofStrength.NONE,
  local: ProofStrength.LOCAL,
  bearer: ProofStrength.BEARER,
  vouched: ProofStrength.VOUCHED,
  possession: ProofStrength.POSSESSION,
};

/** Returns the provenance of a record that was read with its content, if the caller may see it. */
export function provenanceFor(
  { isAdministrator, policy }: AuthorityContext,
  caller: Caller,
): (record: LedgerRecord) => ProvenanceFields | undefined {
  const seesAll = isAdministrator?.(caller) === true;
  // Anonymous callers cannot be distinguished, so none of them may see the entries of another.
  const name = caller.kind === 'anonymous' ? undefined : caller.id;
  const iss = name === undefined ? undefined : defaultIssuer(caller, policy.issuer);
  return ({ author, provenance }) => {
    if (provenance === null) return undefined;
    const stated = readProvenance(statedProvenance(provenance));
    const isOwn = name !== undefined && (author === iss || stated?.caller === name);
    if (!seesAll && !isOwn) return undefined;
    return { ...(stated === undefined ? {} : fieldsOf(stated)), statement: provenance as Uint8Array<ArrayBuffer> };
  };
}

function fieldsOf({ action, caller, proof, strength, by, policy }: Provenance): ProvenanceFields {
  return {
    action,
    caller,
    proof: PROOFS[proof],
    strength: STRENGTHS[strength],
    proofBy: by,
    policyDigest: policy,
  };
}
