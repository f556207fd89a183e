// Counts provenances during an audit: how many entries have one, whether each is readable, and whether the ledger keeps the policies that
// they name. That a provenance matches its leaf is checked with the content of each entry.

import { BUILT_IN_POLICY, isTask, readProvenance } from '../authority/index.ts';
import { type AuditFault, type DocumentStore, type LedgerRecord, statedProvenance } from '../ledger/index.ts';
import { textsIn } from '../policy/index.ts';

/** The counts. */
export interface ProvenanceFacts {
  /** The number of audited entries with a provenance. */
  readonly count: number;
  /**
   * Tasks with a token but without a provenance, although an earlier entry has one: it was removed, or an older release wrote the entry.
   */
  readonly gaps: readonly number[];
  readonly gapCount: number;
  /** How many policies the entries name by digest, and how many of them the ledger keeps; undefined if that cannot be determined. */
  readonly policies: number;
  readonly keptPolicies: number | undefined;
}

const MAX_GAPS = 10;
/** The maximum number of policies that are looked up. Operators change a policy a few times a day. */
const MAX_POLICIES = 10_000;

export class ProvenanceAudit {
  #count = 0;
  readonly #gaps: number[] = [];
  #gapCount = 0;
  readonly #policies = new Set<string>();

  /** Counts the next record. Returns a message if its provenance is invalid. */
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

/** Returns a fault for each stored document that does not match its digest. */
export async function documentFaults(store: DocumentStore): Promise<readonly AuditFault[]> {
  const faults: AuditFault[] = [];
  for (const digest of await store.documents()) {
    const document = await store.document(digest);
    if (document === undefined || textsIn(document) !== undefined) continue;
    faults.push({ index: null, fault: `what is kept as the policy ${digest} has another digest` });
  }
  return faults;
}
