// Issue: who is asking, what may be said in that name, is the graph sound, sign, and where asked, record before answering.

import { type DagReport, ROOT_FACTS, refusalOf } from '../dag/index.ts';
import { EctError, type Refusal } from '../errors.ts';
import type { Signer, Until } from '../keys/index.ts';
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
import type { Caller } from './caller.ts';
import { examineGraph } from './graph.ts';
import { draftClaims } from './issue-claims.ts';
import { recallToken, rememberToken } from './issue-once.ts';
import type { IssueOrder, OwnToken } from './issue-order.ts';
import { orderEntry } from './order-entry.ts';
import type { AuthorityParts } from './parts.ts';
import { permitIssue } from './permit-issue.ts';
import { demandRoom } from './write-room.ts';
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
 * Issues one token. Refuses by EctError; no token leaves before everything that was asked for has been done. It waits only
 * where there is something to wait for: most calls need nothing but the signature.
 */
export async function issue(parts: AuthorityParts, caller: Caller, order: IssueOrder, until: Until): Promise<Issued> {
  const permit = permitIssue(parts, caller, order);
  const isKeyed = order.requestId !== '';
  const earlier = isKeyed ? await recallToken(parts, caller, order) : undefined;
  if (earlier !== undefined) {
    return deliver(parts, caller, order, earlier, await reportOn(parts, caller, earlier, until), until);
  }
  const claims = draftClaims(parts, order, permit);
  const signer = signerFor(parts, order, permit.iss);
  const dag = namesTasks(order)
    ? await demandPredecessors(parts, caller, order, claims, signer?.jwk.kid ?? '', until)
    : undefined;
  const draft = draftToken(parts, order, claims, signer);
  demandWrites(parts, caller, order, claims, draft.tokenBytes);
  const minted = await sign(parts, draft, claims, until);
  const own = isKeyed ? await rememberToken(parts, caller, order, minted) : minted;
  return deliver(parts, caller, order, own, dag, until);
}

/** A token as it is before its signature; one of level L1 is whole. */
type TokenDraft = { readonly tokenBytes: number } & (
  | { readonly unsealed: Unsealed; readonly signer: Signer }
  | { readonly text: string; readonly signer: undefined }
);

/** Writes a token down, without a signer one of level L1. Refuses with TOKEN_TOO_LARGE before anything is signed. */
export function draftToken(
  { policy }: AuthorityParts,
  { draft, ext }: IssueOrder,
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

/** Signs a token. Refuses as the signer does. */
async function sign({ batcher }: AuthorityParts, draft: TokenDraft, claims: Claims, until: Until): Promise<OwnToken> {
  if (draft.signer === undefined) return { text: draft.text, claims, kid: '' };
  const { unsealed, signer } = draft;
  const raw = await batcher.add(() => signer.sign(unsealed.signingInput, until));
  return { text: sealToken(unsealed, raw), claims, kid: signer.jwk.kid };
}

/** Refuses before it is signed what could not be kept afterwards. */
export function demandWrites(
  parts: AuthorityParts,
  caller: Caller,
  { requestId, level }: IssueOrder,
  claims: Claims,
  tokenBytes: number,
): void {
  if (requestId !== '') demandRoom(parts, { caller, use: 'idempotency', bytes: heldBytes(tokenBytes) });
  if (level === 'L3') demandRoom(parts, { caller, use: 'ledger', bytes: entryBytes(tokenBytes, claims) });
}

export function namesTasks(order: IssueOrder): boolean {
  return order.pred.length > 0 || order.jti !== '';
}

async function demandPredecessors(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
  claims: Claims,
  kid: string,
  until: Until,
): Promise<DagReport | undefined> {
  const { report, refusal } = await examinePredecessors(parts, caller, order, claims, kid, until);
  if (refusal !== undefined) throw new EctError(refusal);
  return order.pred.length === 0 ? undefined : report;
}

/**
 * Known predecessors are always held to the rules. At L2 unknown ones may live in another ledger, so they are allowed
 * and reported; L3 demands all of them. A `jti` of the caller's own choice must not name a recorded task.
 */
export async function examinePredecessors(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
  claims: Claims,
  kid: string,
  until: Until,
): Promise<{ readonly report: DagReport; readonly refusal: Refusal | undefined }> {
  // A name that was drawn here a moment ago is nobody else's.
  const namesake = order.jti === '' ? undefined : await parts.ledger.find(claims.wid, claims.jti);
  const subject = { claims, kid, digest: undefined, namesake };
  const scope = { extent: 'links', until, toBeRecorded: levelOnLeaving(order) === 'L3' } as const;
  const report = await examineGraph(parts, subject, ancestryFor(parts, caller), scope);
  return { report, refusal: refusalOf(report, { complete: order.level === 'L3' }) };
}

/** Chosen once in a call, since keys change between calls; none for L1. */
export function signerFor(
  { signers }: AuthorityParts,
  { level, execAct }: IssueOrder,
  iss: string,
): Signer | undefined {
  return level === 'L1' ? undefined : signers.for(iss, execAct);
}

/** What a token is when it leaves. */
export function levelOnLeaving({ level, record }: Pick<IssueOrder, 'level' | 'record'>): Level {
  return level === 'L3' && record === 'async' ? 'L2' : level;
}

/** What is known by now of the predecessors of a token that left before. */
async function reportOn(
  parts: AuthorityParts,
  caller: Caller,
  { text, claims, kid }: OwnToken,
  until: Until,
): Promise<DagReport | undefined> {
  if (claims.pred.length === 0) return undefined;
  const namesake = await parts.ledger.find(claims.wid, claims.jti);
  const subject = { claims, kid, digest: digestOfToken(text), namesake };
  return examineGraph(parts, subject, ancestryFor(parts, caller), { extent: 'links', until });
}

/** Answers a token. For L3 only once its entry is durable; or, as L2, once the order for its entry is. */
function deliver(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
  { text, claims, kid }: OwnToken,
  dag: DagReport | undefined,
  until: Until,
): Issued | Promise<Issued> {
  const issued: Issued = { token: text, level: levelOnLeaving(order), claims, kid, dag, receipt: undefined };
  if (order.level !== 'L3') return issued;
  const verified = { claims, kid, digest: digestOfToken(text) };
  const facts = claims.pred.length === 0 ? ROOT_FACTS : dag?.facts;
  if (order.record === 'async') return orderEntry(parts, caller, text, verified, facts).then(() => issued);
  return record(parts, caller, text, verified, until.signal, facts).then(({ receipt }) => ({ ...issued, receipt }));
}
