// Issue: who is asking, what may be said in that name, is the graph sound, sign, and where asked, record before answering.

import { type DagReport, namesOf, ROOT_FACTS, rejectionOf } from '../dag/index.ts';
import { EctError, type Rejection, reject } from '../errors.ts';
import type { CallDeadline, Signer } from '../keys/index.ts';
import type { Receipt } from '../ledger/index.ts';
import {
  type Claims,
  digestOfToken,
  type Level,
  mintUnsigned,
  prepareToken,
  sealedBytes,
  sealToken,
  type Unsealed,
} from '../token/index.ts';
import { ancestryFor } from './ancestry.ts';
import { record } from './append.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { examineGraph } from './graph.ts';
import { findIssuedToken, rememberToken } from './idempotent-issue.ts';
import { draftClaims } from './issue-claims.ts';
import type { IssueInput, OwnToken } from './issue-input.ts';
import { addPending } from './pending-entry.ts';
import { permitIssue } from './permit-issue.ts';
import type { Writer } from './provenance.ts';
import { checkWriteQuota } from './write-reservation.ts';
import { entryBytes, heldBytes } from './write-sizes.ts';

/** What was made. `receipt` is there for L3. */
export interface Issued {
  readonly token: string;
  /** Of the token as it leaves. */
  readonly level: Level;
  readonly claims: Claims;
  readonly kid: string;
  readonly dag: DagReport | undefined;
  readonly receipt: Receipt | undefined;
}

/**
 * Issues one token. Rejects by EctError; no token leaves before everything that was asked for has been done. It waits only
 * where there is something to wait for: most calls need nothing but the signature.
 */
export async function issue(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
  deadline: CallDeadline,
): Promise<Issued> {
  const permit = permitIssue(context, caller, input);
  const writer: Writer = { caller, action: 'Issue', policy: permit.policy };
  const isKeyed = input.requestId !== '';
  const earlier = isKeyed ? await findIssuedToken(context, caller, input) : undefined;
  if (earlier !== undefined) {
    return deliver(context, writer, input, earlier, await reportOn(context, caller, earlier, deadline), deadline);
  }
  const claims = draftClaims(context, input, permit);
  const signer = signerFor(context, input, permit.iss);
  const dag = namesTasks(input)
    ? await demandPredecessors(context, caller, input, claims, signer?.jwk.kid ?? '', deadline)
    : undefined;
  const draft = draftToken(context, input, claims, signer);
  demandWrites(context, caller, input, claims, draft.tokenBytes);
  const minted = sealDraft(draft, claims, await signatureOf(context, caller, draft, deadline));
  const own = isKeyed ? await rememberToken(context, caller, input, minted) : minted;
  return deliver(context, writer, input, own, dag, deadline);
}

/** A token as it is before its signature; one of level L1 is whole. */
type TokenDraft = { readonly tokenBytes: number } & (
  | { readonly unsealed: Unsealed; readonly signer: Signer }
  | { readonly text: string; readonly signer: undefined }
);

/** Writes a token down, without a signer one of level L1. Rejects with TOKEN_TOO_LARGE before anything is signed. */
export function draftToken(
  { policy }: AuthorityContext,
  { draft, ext }: IssueInput,
  claims: Claims,
  signer: Signer | undefined,
): TokenDraft {
  const { maxTokenBytes } = policy.token;
  if (signer === undefined) {
    const text = mintUnsigned(claims, ext?.text, maxTokenBytes);
    return { tokenBytes: Buffer.byteLength(text), text, signer };
  }
  const unsealed = prepareToken(claims, ext?.text, signer, maxTokenBytes, draft);
  return { tokenBytes: sealedBytes(unsealed), unsealed, signer };
}

/** Signs a token, except one of level L1. Rejects as the signer does. */
function signatureOf(
  { batcher }: AuthorityContext,
  caller: Caller,
  draft: TokenDraft,
  deadline: CallDeadline,
): Promise<Uint8Array> | undefined {
  if (draft.signer === undefined) return undefined;
  const { unsealed, signer } = draft;
  return batcher.add(() => signer.sign(unsealed.signingInput, deadline, callerName(caller)));
}

function sealDraft(draft: TokenDraft, claims: Claims, signature: Uint8Array | undefined): OwnToken {
  if (draft.signer === undefined) return { text: draft.text, claims, kid: '' };
  return { text: sealToken(draft.unsealed, signature!), claims, kid: draft.signer.jwk.kid };
}

/** Rejects before it is signed what could not be kept afterwards. */
export function demandWrites(
  context: AuthorityContext,
  caller: Caller,
  { requestId, level }: IssueInput,
  claims: Claims,
  tokenBytes: number,
): void {
  if (requestId !== '') checkWriteQuota(context, { caller, use: 'idempotency', bytes: heldBytes(tokenBytes) });
  if (level === 'L3') checkWriteQuota(context, { caller, use: 'ledger', bytes: entryBytes(tokenBytes, claims) });
}

export function namesTasks(input: IssueInput): boolean {
  return input.pred.length > 0 || input.jti !== '';
}

async function demandPredecessors(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
  claims: Claims,
  kid: string,
  deadline: CallDeadline,
): Promise<DagReport | undefined> {
  const { report, rejection } = await examinePredecessors(context, caller, input, claims, kid, deadline);
  if (rejection !== undefined) throw new EctError(rejection);
  return input.pred.length === 0 ? undefined : report;
}

/**
 * Known predecessors are always checked. At L2 unknown ones may be in another ledger, so they are allowed
 * and reported; L3 demands all of them. A `jti` of the caller's own choice must not name a recorded task.
 */
export async function examinePredecessors(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
  claims: Claims,
  kid: string,
  deadline: CallDeadline,
): Promise<{ readonly report: DagReport; readonly rejection: Rejection | undefined }> {
  // The service generated this name just now, so no other task has it.
  const namesake = input.jti === '' ? undefined : await context.ledger.find(claims.wid, claims.jti);
  const subject = { claims, kid, digest: undefined, namesake };
  const scope = { extent: 'links', deadline, toBeRecorded: levelOnLeaving(input) === 'L3' } as const;
  const report = await examineGraph(context, subject, ancestryFor(context, caller), scope);
  return { report, rejection: rejectionOf(report, { complete: input.level === 'L3' }) };
}

/** Chosen once in a call, since keys change between calls; none for L1. */
export function signerFor(
  { signers }: AuthorityContext,
  { level, execAct }: IssueInput,
  iss: string,
): Signer | undefined {
  return level === 'L1' ? undefined : signers.for(iss, execAct);
}

/** What a token is when it leaves. */
export function levelOnLeaving({ level, record }: Pick<IssueInput, 'level' | 'record'>): Level {
  return level === 'L3' && record === 'async' ? 'L2' : level;
}

/** What is known by now of the predecessors of a token that left before. */
async function reportOn(
  context: AuthorityContext,
  caller: Caller,
  { text, claims, kid }: OwnToken,
  deadline: CallDeadline,
): Promise<DagReport | undefined> {
  if (claims.pred.length === 0) return undefined;
  const namesake = await context.ledger.find(claims.wid, claims.jti);
  const subject = { claims, kid, digest: digestOfToken(text), namesake };
  return examineGraph(context, subject, ancestryFor(context, caller), { extent: 'links', deadline });
}

/**
 * Returns a token: at L3 after its entry is durable or, as L2, after its pending recording is. TOKEN_EXPIRED if the token has expired by
 * then, because no verifier would accept it.
 */
function deliver(
  context: AuthorityContext,
  writer: Writer,
  input: IssueInput,
  { text, claims, kid }: OwnToken,
  dag: DagReport | undefined,
  deadline: CallDeadline,
): Issued | Promise<Issued> {
  if (hasExpired(context, claims)) throw expired('The token expired before it could be returned.');
  const issued: Issued = { token: text, level: levelOnLeaving(input), claims, kid, dag, receipt: undefined };
  if (input.level !== 'L3') return issued;
  const verified = { claims, kid, digest: digestOfToken(text) };
  const facts = claims.pred.length === 0 ? ROOT_FACTS : dag?.facts;
  const complete = (receipt: Receipt | undefined): Issued => {
    if (!hasExpired(context, claims)) return { ...issued, receipt };
    const what = receipt === undefined ? 'will be recorded' : 'is recorded';
    throw expired(`The token expired before it could be returned; its task ${claims.jti} ${what}.`, namesOf(claims));
  };
  if (input.record === 'async')
    return addPending(context, writer, text, verified, facts).then(() => complete(undefined));
  return record(context, writer, text, verified, deadline.signal, facts).then(({ receipt }) => complete(receipt));
}

function hasExpired({ now }: AuthorityContext, { exp }: Claims): boolean {
  return exp <= now();
}

function expired(message: string, task?: ReturnType<typeof namesOf>): EctError {
  return new EctError(reject('TOKEN_EXPIRED', message, task));
}
