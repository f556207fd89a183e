export { type Appended, append } from './append.ts';
export { appendBatch } from './append-batch.ts';
export {
  ACTIONS,
  type Action,
  type AskedEntry,
  type Authorizer,
  BUILT_IN_POLICY,
  type Circumstances,
  type Decision,
  type DecisionListener,
  demandPermission,
  describeResource,
  notAuthorized,
  type Obligations,
  type PermissionQuestion,
  policyInForce,
  type Resource,
} from './authorizer.ts';
export { type Caller, callerName, type Proof, type ProofStrength, proofBy, proofOf } from './caller.ts';
export type { AuthorityContext, AuthorityPolicy, GraphPolicy, PolicyArchive } from './context.ts';
export {
  APPEND_STEPS,
  type AppendDryRun,
  dryRunAppend,
  dryRunIssue,
  ISSUE_STEPS,
  type IssueDryRun,
} from './dry-run.ts';
export { followMarks } from './follow-marks.ts';
export { type AskedRecording, findTask, getRecording, MAX_WAIT_MS, type Recording } from './get-recording.ts';
export type { IdempotencyStore, IdempotentResult } from './idempotency-store.ts';
export { type BatchItem, lockBatch } from './idempotent-batch.ts';
export { type RotationRequest, rotateKey } from './idempotent-rotation.ts';
export { demandIntact } from './intact-records.ts';
export { type Issued, issue } from './issue.ts';
export { issueFaults } from './issue-claims.ts';
export type { IssueInput } from './issue-input.ts';
export { defaultIssuer, isOwnName } from './issuer.ts';
export { asLastStated } from './last-statement.ts';
export { isTask, type Leaf, readLeaf } from './leaf.ts';
export { asLossCandidate, LOSS_SCOPE, type LossLeaf, nameOfLoss } from './loss-entry.ts';
export {
  type CompromisedSubject,
  compromiseKey,
  isKnownSubject,
  markCompromised,
} from './mark-compromised.ts';
export { digestOfMark, MARK_SCOPE, type MarkLeaf, type MarkSubject, nameOf, nameOfMark } from './marks.ts';
export type { NamedTask, Notices } from './notices.ts';
export type { OwnKeys } from './own-keys.ts';
export {
  PENDING_LIMITS,
  type PendingLimits,
  type PendingOutcome,
  type PendingRecording,
  type PendingRecordings,
  type PendingRef,
  type PendingState,
  type TaskName,
  tooManyPending,
} from './pending-recordings.ts';
export { brokenObligation } from './permit-issue.ts';
export { type Provenance, provenanceOf, readProvenance, type Writer } from './provenance.ts';
export { readPending } from './read-pending.ts';
export { askedAbout, type Reader, readerFor } from './read-permission.ts';
export { leafOf, recordFault } from './record-fault.ts';
export { Recordings } from './recordings.ts';
export type { Claim, Equivocated, ReplayGuard, TokenUse } from './replay-guard.ts';
export { claimProof, guessableId, type ProofUse } from './use.ts';
export {
  type DagAnswer,
  type DagSubject,
  type RecordedWorkflow,
  readWorkflow,
  validateDag,
} from './validate-dag.ts';
export { type Equivocation, type StepRule, VERIFY_STEPS, type Verdict } from './verdict.ts';
export { type VerifyInput, verify, verifyFaults } from './verify.ts';
export type { WriteLimits, WriteUse } from './write-limits.ts';
