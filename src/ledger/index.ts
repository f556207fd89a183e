// Public interface of the ledger.

export {
  type AuditEnd,
  type AuditFault,
  type AuditReport,
  type AuditRequest,
  auditLedger,
  contentFault,
} from './audit.ts';
export { type OpenedCheckpoint, openCheckpoint } from './checkpoint.ts';
export type { AppendOutcome } from './commit-outcome.ts';
export type { DocumentStore, LedgerDocument } from './document-store.ts';
export { MAX_PROVENANCE_BYTES, statedProvenance } from './entry.ts';
export { type ConsistencyProof, type InclusionProof, indexOutOfRange } from './evidence.ts';
export { headFault, isForeign } from './head.ts';
export {
  checkHistory,
  emptyCheckpoint,
  type HighWaterMark,
  HistoryLost,
  type KeptCheckpoint,
  openMark,
  type ShownCheckpoint,
} from './high-water-mark.ts';
export { type CommitStats, Ledger, type LedgerCheckpoint, type LedgerOptions } from './ledger.ts';
export { generateLedgerKey, type LedgerKey, openLedgerKey, originFault, parseVerifierKey } from './ledger-key.ts';
export { type Receipt, type ReceiptVerdict, verifyReceipt } from './receipt.ts';
export { EntryMissing } from './requirements.ts';
export {
  type Candidate,
  type CommitResult,
  type EntryRef,
  type Head,
  type LedgerRecord,
  type LedgerStore,
  MAX_LOOKUP_NAMES,
  type Placement,
  type Reach,
  type RecordQuery,
  type Seal,
  type SealedBatch,
  type TreeNode,
} from './store.ts';
export { type TlogProof, writeTlogProof } from './tlog-proof.ts';
export { growTree, leafHash, nodeHash, rootOf, type TreeState } from './tree.ts';
export { type WalkOptions, walkRecords } from './walk.ts';
