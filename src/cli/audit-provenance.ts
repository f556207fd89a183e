// What an audit counts of provenances: how many entries have one, whether each is readable, and whether the policies that they name are
// kept. That a provenance is what the leaf commits to is asked with the content of each entry.

import { BUILT_IN_POLICY, isTask, readProvenance } from '../authority/index.ts';
import { type AuditFault, type DocumentStore, type LedgerRecord, statedProvenance } from '../ledger/index.ts';
import { textsIn } from '../policy/index.ts';

/** What was found. */
export interface ProvenanceFacts {
  /** Entries with a provenance, of those that were read. */
  readonly count: number;
  /** Tasks that have a token and no provenance although an entry before has one: it was taken away, or an older release wrote the entry. */
  readonly gaps: readonly number[];
  readonly gapCount: number;
  /** Digests of policies that entries name, and how many of these the ledger keeps; undefined where that cannot be asked. */
  readonly policies: number;
  readonly keptPolicies: number | undefined;
}

const MAX_GAPS = 10;
/** An operator changes a policy some times a day. Beyond this, only the first are asked for. */
const MAX_POLICIES = 10_000;

export class ProvenanceAudit {
  #count = 0;
  readonly #gaps: number[] = [];
  #gapCount = 0;
  readonly #policies = new Set<string>();

  /** Takes the next record; a sentence where something is wrong with it. */
  take(record: LedgerRecord): string | undefined {
    const { index, content, provenance } = record;
    if (provenance === null) {
      if (this.#count === 0 || content === null || !isTask(record)) return undefined;
      this.#gapCount += 1;
      if (this.#gaps.length < MAX_GAPS) this.#gaps.push(index);
      return undefined;
    }
    this.#count += 1;
    const stated = readProvenance(statedProvenance(provenance));
    if (stated === undefined) return 'its provenance is not one that this service writes';
    if (stated.policy !== BUILT_IN_POLICY && this.#policies.size < MAX_POLICIES) this.#policies.add(stated.policy);
    return undefined;
  }

  async facts(documents: DocumentStore | undefined): Promise<ProvenanceFacts> {
    const kept = documents && new Set(await documents.documents());
    return {
      count: this.#count,
      gaps: this.#gaps,
      gapCount: this.#gapCount,
      policies: this.#policies.size,
      keptPolicies: kept && [...this.#policies].filter((digest) => kept.has(digest)).length,
    };
  }
}

/** Documents that are not what their digests say. */
export async function documentFaults(store: DocumentStore): Promise<readonly AuditFault[]> {
  const faults: AuditFault[] = [];
  for (const digest of await store.documents()) {
    const document = await store.document(digest);
    if (document === undefined || textsIn(document) !== undefined) continue;
    faults.push({ index: null, fault: `what is kept as the policy ${digest} has another digest` });
  }
  return faults;
}
