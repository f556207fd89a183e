// The source of an audit: the records of a ledger, and what is needed to compare them with a checkpoint.

import { LOSS_SCOPE, leafOf } from '../authority/index.ts';
import type { KeyAudit } from '../key-manager/index.ts';
import type { AuditEnd, AuditFault, DocumentStore, LedgerRecord, ShownCheckpoint } from '../ledger/index.ts';

/** A ledger to audit. */
export interface AuditSource {
  /** The signed note that the records are compared with. */
  readonly checkpoint: string;
  /** The verifier key that the ledger itself states. It is used only if the caller of the command has supplied none. */
  readonly ownKey: string;
  /** The records up to the checkpoint, from the first one to audit, in order, with their content if it is stored. */
  readonly records: AsyncIterable<LedgerRecord>;
  /** Faults that only this source can find. The list grows while the records are read. */
  readonly faults: AuditFault[];
  /** The published key set, if the source publishes one, and the time at which it was read. */
  readonly keySet: { readonly text: string; readonly readAtMs: number } | undefined;
  /** The newest checkpoint that the service stored beside its file, if available. */
  readonly highWater?: ShownCheckpoint;
  /** The number of unreadable pages of the mark. The newest checkpoint may have been on one of them. */
  readonly damagedMarkPages?: number;
  /** Returns damage that the service knows of in its own files. Called after everything has been read. */
  readonly knownDamage?: () => Promise<string | undefined>;
  /** The documents that entries name by digest, if available. */
  readonly documents?: DocumentStore;
  /** Throws if the records are not of one state of the ledger. Called after they have been read. */
  readonly demandSameState?: () => void;
  /** Finds the entries at fault. Called if the root is wrong, since the root does not show which entries are. */
  readonly locate?: () => Promise<readonly AuditFault[]>;
}

/** An accepted loss: the index of its entry, and the number of entries that had been published before. */
export interface AcceptedLoss {
  readonly index: number;
  readonly shown: number;
}

/** The end of a previous audit, for a first audit: nothing has been audited. */
export const FIRST_ENTRY: AuditEnd = { size: 0, frontier: [], recordedAtMs: 0 };

/** Passes what a record says about a key to the key audit. Returns a message if it contradicts what was announced. */
export function keyFault(audit: KeyAudit, record: LedgerRecord): string | undefined {
  const leaf = leafOf(record);
  // An unreadable leaf is reported elsewhere.
  if (leaf === undefined || leaf.type === 'taint' || leaf.type === 'loss') return undefined;
  if (leaf.type === 'key') return audit.takeKey(record);
  const { kid, iss, iat } = leaf;
  return audit.takeUse({ index: record.index, kid, iss, iat, recordedAtMs: record.recordedAtMs });
}

/** Returns the accepted loss that a record states; undefined if the record is of another kind. */
export function lossIn(record: LedgerRecord): AcceptedLoss | undefined {
  const leaf = record.scope === LOSS_SCOPE ? leafOf(record) : undefined;
  return leaf?.type === 'loss' ? { index: record.index, shown: leaf.size } : undefined;
}

/** Returns a fault for each key that signed without being announced. */
export function unknownKeys(audit: KeyAudit): readonly AuditFault[] {
  return audit.unknown.map(({ kid, iss, firstIndex, count }) => ({
    index: firstIndex,
    fault: `key ${kid} signed ${count === 1 ? 'this token' : `this and ${count - 1} more tokens`} of ${iss} but was not announced before`,
  }));
}
