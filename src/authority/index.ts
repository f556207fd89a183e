export { type Appended, append } from './append.ts';
export { appendBatch } from './append-batch.ts';
export {
  ACTIONS,
  type Action,
  type AskedEntry,
  type Authorizer,
  type Circumstances,
  type Decision,
  demandPermission,
  notAuthorized,
  type Obligations,
  type PermissionQuestion,
  type Resource,
  resourceName,
} from './authorizer.ts';
export { type BatchItem, holdBatch } from './batch-once.ts';
export { type Caller, callerName, type Proof, proofOf } from './caller.ts';
export { followMarks } from './follow-marks.ts';
export { findTask, getRecording, MAX_WAIT_MS, namesOf, type Recording } from './get-recording.ts';
export { type Issued, issue } from './issue.ts';
export { issueFaults } from './issue-claims.ts';
export type { IssuedOnce, IssueMemo } from './issue-memo.ts';
export type { IssueOrder } from './issue-order.ts';
export { defaultIssuer, isOwnName } from './issuer.ts';
export { asLastStated } from './last-statement.ts';
export { type Leaf, readLeaf } from './leaf.ts';
export { asLossCandidate, LOSS_SCOPE, type LossLeaf, nameOfLoss } from './losses.ts';
export {
  type CompromisedSubject,
  compromiseKey,
  markCompromised,
} from './mark-compromised.ts';
export { digestOfMark, MARK_SCOPE, type MarkLeaf, type MarkSubject, nameOf, nameOfMark } from './marks.ts';
export type { NamedTask, Notices } from './notices.ts';
export type { OwnKeys } from './own-keys.ts';
export type { AuthorityParts, AuthorityPolicy, GraphPolicy } from './parts.ts';
export { brokenObligation } from './permit-issue.ts';
export { askedAbout, type Reader, readerFor } from './read-permission.ts';
export { leafOf, recordFault } from './record-fault.ts';
export {
  ORDER_LIMITS,
  type OrderLimits,
  type OrderPlacement,
  type OrderRef,
  type OrderState,
  type RecordingOrder,
  type RecordingOrders,
  type TaskName,
  tooManyOrders,
} from './recording-orders.ts';
export { Recordings } from './recordings.ts';
export {
  APPEND_STEPS,
  type AppendRehearsal,
  ISSUE_STEPS,
  type IssueRehearsal,
  rehearseAppend,
  rehearseIssue,
} from './rehearse.ts';
export type { Claim, Equivocated, ReplayGuard, TokenUse } from './replay.ts';
export { rereadOrder } from './reread-order.ts';
export { type RotationRequest, rotateKey } from './rotate-once.ts';
export { demandSound } from './sound-records.ts';
export { claimProof, guessableId, type ProofUse } from './use.ts';
export {
  type DagAnswer,
  type DagSubject,
  examineRecorded,
  type RecordedWorkflow,
  readWorkflow,
  validateDag,
} from './validate-dag.ts';
export { type Equivocation, type StepRule, VERIFY_STEPS, type Verdict } from './verdict.ts';
export { type VerifyOrder, verify, verifyFaults } from './verify.ts';
export type { WriteLimits, WriteUse } from './write-limits.ts';
