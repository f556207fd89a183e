// Where an audit reads from: the records with what it takes to hold them against a checkpoint.

import { LOSS_SCOPE, leafOf } from '../authority/index.ts';
import type { KeyAudit } from '../key-manager/index.ts';
import type { AuditEnd, AuditFault, DocumentStore, LedgerRecord, ShownCheckpoint } from '../ledger/index.ts';

/** A ledger that is about to be audited. */
export interface AuditSource {
  /** The signed note that everything is compared with. */
  readonly checkpoint: string;
  /** The verifier key that the ledger itself names: used only if the caller of the command has given no other. */
  readonly ownKey: string;
  /** The records under the checkpoint from where the audit begins, in order, with its content where that is kept. */
  readonly records: AsyncIterable<LedgerRecord>;
  /** Faults that only this source can see. It fills up while the records are read. */
  readonly faults: AuditFault[];
  /** The key set as it is published, where the source publishes one, and when it was read. */
  readonly keySet: { readonly text: string; readonly readAtMs: number } | undefined;
  /** The newest checkpoint that the service kept beside its file, where it is at hand. */
  readonly highWater?: ShownCheckpoint;
  /** Pages of the mark that cannot be read: the newest checkpoint may have been on one of them. */
  readonly damagedMarkPages?: number;
  /** What a service says of damage of its own files, asked when everything has been read. */
  readonly knownDamage?: () => Promise<string | undefined>;
  /** What entries name by digest, where it is at hand. */
  readonly documents?: DocumentStore;
  /** Names the entries at fault where the root is wrong, which alone does not say where. */
  readonly locate?: () => Promise<readonly AuditFault[]>;
}

/** An accepted loss: where it is recorded, and how many entries had been shown before it. */
export interface AcceptedLoss {
  readonly index: number;
  readonly shown: number;
}

/** Where an audit begins: at the first entry, or where an earlier audit stopped. */
export const FIRST_ENTRY: AuditEnd = { size: 0, frontier: [], recordedAtMs: 0 };

/** Hands what a record says about keys to their audit; a sentence where that contradicts what was announced. */
export function keyFault(audit: KeyAudit, record: LedgerRecord): string | undefined {
  const leaf = leafOf(record);
  // What cannot be read is a fault that others name.
  if (leaf === undefined || leaf.type === 'taint' || leaf.type === 'loss') return undefined;
  if (leaf.type === 'key') return audit.takeKey(record);
  const { kid, iss, iat } = leaf;
  return audit.takeUse({ index: record.index, kid, iss, iat, recordedAtMs: record.recordedAtMs });
}

/** What a record says about a loss that was accepted; undefined where it is about something else. */
export function lossIn(record: LedgerRecord): AcceptedLoss | undefined {
  const leaf = record.scope === LOSS_SCOPE ? leafOf(record) : undefined;
  return leaf?.type === 'loss' ? { index: record.index, shown: leaf.size } : undefined;
}

/** The faults of keys that signed without an announcement. */
export function unknownKeys(audit: KeyAudit): readonly AuditFault[] {
  return audit.unknown.map(({ kid, iss, firstIndex, count }) => ({
    index: firstIndex,
    fault: `key ${kid} signed ${count === 1 ? 'this token' : `this and ${count - 1} more tokens`} of ${iss} but was not announced before`,
  }));
}
