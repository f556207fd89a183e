// How large a response can become, from its request alone: room for it is reserved before anything is done. Bytes of protobuf, at
// most; tests hold the figures against real answers. What exceeds a limit of its field is rejected later: it is known by its
// length alone, before it is decoded or parsed, and counts as an error.

import { type AuthorityContext, callerName } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { MAX_BATCH_ITEMS } from '../calls/message-limits.ts';
import { createYielder, type Yielder } from '../concurrency/yielder.ts';
import {
  type BatchAppendLedgerItem,
  type BatchIssueItem,
  type BatchVerifyItem,
  GraphFormat,
  type IssueRequest,
  type ValidateDAGRequest,
  VerifyMode,
} from '../gen/ect/v1/authority_pb.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import { MAX_AUDIENCES, MAX_EXEC_ACT_CHARACTERS, MAX_PREDECESSORS, MAX_URI_BYTES } from '../token/index.ts';
import { appendDetailBytes, issueDetailBytes, verdictDetailBytes } from './detail-budget.ts';
import { ERROR_BYTES } from './item-errors.ts';
import {
  base64Bytes,
  claimsBytes,
  extensionText,
  hasControl,
  listBytes,
  payloadOf,
  structBytes,
  textBytes,
} from './text-sizes.ts';

/** Tags and lengths of a result, and of what it holds. */
const RESULT_BYTES = 48;
/** The rows of a report or a dry run, without what their findings say. */
const CHECKS_BYTES = { verify: 1_152, append: 1_216, issue: 512 };
/** Names and numbers of a payload: `{"iss":"","aud":[…],"iat":1700000000,…}`. */
const PAYLOAD_BYTES = 112;
/** Numbers, tags and lengths of the same claims as a message. */
const CLAIMS_BYTES = 48;
/** Header and signature of a token, with the dots. */
const SEALED_BYTES = 214;
const KID_BYTES = 43;
const UUID_BYTES = 36;
/** `sha-256:` before it in draft -00. */
const HASH_BYTES = 52;
/** What a leaf has beside `jti`, `wid`, `iss` and `pred`; and beside that where there are policy claims. */
const LEAF_BYTES = 264;
const POLICY_LEAF_BYTES = 64;
/** A workflow of a predecessor in a leaf, where it is another; an id that is no UUID has 256 characters, each of which JSON may escape. */
const PRED_LEAF_BYTES = { uuid: 40, text: 516 };
/** An id has no more characters, and a hash in a claim none. */
const MAX_NAME_CHARACTERS = 256;
/** A hash of the inclusion proof, as a line of text, which is longer than its bytes. */
const PROOF_STEP_BYTES = 45;
/** What others record before the response is made: a tree of twice the size has one step more. */
const ENTRIES_MEANWHILE = 16_000;
/** Payloads up to this size are taken as if all of it were in the leaf. */
const SMALL_PAYLOAD_BYTES = 480;

const MIB = 1024 * 1024;
/** Together with what else is in a response this stays below the 4 MiB that gRPC clients read. */
const MAX_PAGE_BYTES = 2 * MIB;
/** A page of few entries is never cut: the largest has 60 KiB. */
const LEAST_PAGE_BYTES = 256 * 1024;
/** Most entries have a quarter of this. */
const USUAL_ENTRY_BYTES = { bare: 4_096, withContent: 8_192 };
const AROUND_PAGE_BYTES = 65_536;
/** The findings about a graph are cut at these. */
const FINDINGS_BYTES = 1.5 * MIB + 65_536;
const DRAWING_BYTES = 1.5 * MIB;

/** The size of a response; a promise where it takes more than a slice to find it. */
type Size = number | Promise<number>;

export function issuedBytes(context: AuthorityContext, items: readonly BatchIssueItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const own = Math.max(context.policy.issuer.length, callerName(call.caller).length);
  const receipt = receiptBytes(context, items.length);
  return sumOf(items, issueDetailBytes(items), createYielder(call), ({ request }, spend) =>
    request === undefined ? ERROR_BYTES : issueBytes(context, request, own, receipt, spend),
  );
}

/** `receipt`: of a response without its leaf. */
function issueBytes(
  context: AuthorityContext,
  request: IssueRequest,
  own: number,
  receipt: number,
  spend: Spend,
): number {
  if (isBeyondLimits(request)) return ERROR_BYTES;
  const { jti, wid, execAct, aud, pred, inputBinding, outputBinding } = request;
  const names = jti.length + wid.length + execAct.length + request.iss.length;
  const characters = names + lengthOf(aud) + lengthOf(pred);
  const { maxTokenBytes, ids } = context.policy.token;
  if (characters > maxTokenBytes) return Math.max(ERROR_BYTES, CHECKS_BYTES.issue);
  spend(characters);
  // No claim may have a control character.
  if (hasControl(jti) || hasControl(wid) || hasControl(execAct) || hasControl(request.iss)) return ERROR_BYTES;
  if (aud.some(hasControl) || pred.some(hasControl)) return ERROR_BYTES;
  const ext = extensionText(request.extension);
  if (ext === undefined) return ERROR_BYTES;
  spend(ext.length);
  const iss = request.iss === '' ? own : textBytes(request.iss);
  const tasks = (jti === '' ? UUID_BYTES : textBytes(jti)) + textBytes(wid) + iss + listBytes(pred);
  const flat = tasks + listBytes(aud) + textBytes(execAct) + bindingBytes(inputBinding) + bindingBytes(outputBinding);
  const payload = Math.min(PAYLOAD_BYTES + flat + Buffer.byteLength(ext), maxTokenBytes);
  const hasPolicy = namesPolicy(ext);
  // Policy claims are answered once more by themselves.
  const struct = ext === '' ? 0 : structBytes(Buffer.from(ext));
  const claims = CLAIMS_BYTES + flat + struct + (hasPolicy ? ext.length : 0);
  const token = request.dryRun ? CHECKS_BYTES.issue : SEALED_BYTES + base64Bytes(payload);
  const dag = pred.length === 0 ? 0 : RESULT_BYTES;
  const isRecorded = request.level === Level.L3 && !request.dryRun;
  const leaf = isRecorded ? leafBytes(ids, tasks, pred.length, hasPolicy) : 0;
  return Math.max(ERROR_BYTES, token + claims + dag + KID_BYTES + (isRecorded ? receipt + leaf : 0));
}

function lengthOf(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) length += text.length;
  return length;
}

/** What is longer than its field may be. Every item is asked, so nothing is made for it. */
function isBeyondLimits({ jti, wid, iss, execAct, aud, pred, inputBinding, outputBinding }: IssueRequest): boolean {
  return (
    aud.length > MAX_AUDIENCES ||
    pred.length > MAX_PREDECESSORS ||
    execAct.length > 2 * MAX_EXEC_ACT_CHARACTERS ||
    isLongParty(iss) ||
    aud.some(isLongParty) ||
    isLongName(jti) ||
    isLongName(wid) ||
    isLongName(inputBinding.value) ||
    isLongName(outputBinding.value) ||
    pred.some(isLongName)
  );
}

function isLongParty(party: string): boolean {
  return party.length > MAX_URI_BYTES;
}

/** Whether an id or a hash is too long; the octets of an input are no name. */
function isLongName(name: string | Uint8Array | undefined): boolean {
  return typeof name === 'string' && name.length > MAX_NAME_CHARACTERS;
}

export function appendedBytes(context: AuthorityContext, items: readonly BatchAppendLedgerItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const receipt = receiptBytes(context, items.length);
  const { maxTokenBytes, ids } = context.policy.token;
  return sumOf(items, appendDetailBytes(items), createYielder(call), ({ request }, spend) => {
    if (request === undefined) return ERROR_BYTES;
    const { token, dryRun } = request;
    const checks = dryRun ? CHECKS_BYTES.append : 0;
    if (token.length > maxTokenBytes) return Math.max(ERROR_BYTES, checks);
    spend(token.length);
    const taken = tasksOf(token, ids);
    if (taken === undefined) return Math.max(ERROR_BYTES, checks);
    const { tasks, pred, hasPolicy } = taken;
    const leaf = leafBytes(ids, tasks, pred, hasPolicy);
    // The entry says what is in the leaf as fields; the receipt has the leaf.
    const entry = token.length + leaf + RESULT_BYTES;
    return Math.max(ERROR_BYTES, entry + leaf + receipt + checks);
  });
}

export function verdictBytes(context: AuthorityContext, items: readonly BatchVerifyItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const { maxTokenBytes } = context.policy.token;
  return sumOf(items, verdictDetailBytes(items), createYielder(call), ({ request }, spend) => {
    if (request === undefined) return ERROR_BYTES;
    const { token, verifyMode } = request;
    // A verdict may have both a finding and claims.
    const rejected = ERROR_BYTES + (verifyMode === VerifyMode.REPORT ? CHECKS_BYTES.verify : 0);
    if (token.length > maxTokenBytes) return rejected;
    spend(token.length);
    return rejected + CLAIMS_BYTES + claimsBytes(payloadOf(token));
  });
}

/** What the entries of a page have together, at most: a page is cut there, and the next one goes on. */
export function pageRoom(pageSize: number, withContent: boolean): number {
  const usual = pageSize * (withContent ? USUAL_ENTRY_BYTES.withContent : USUAL_ENTRY_BYTES.bare);
  return Math.min(MAX_PAGE_BYTES, Math.max(LEAST_PAGE_BYTES, usual));
}

export function pageBytes(pageSize: number, withContent = false): number {
  return pageRoom(pageSize, withContent) + AROUND_PAGE_BYTES;
}

export function workflowBytes(): number {
  return FINDINGS_BYTES;
}

export function graphBytes({ graphFormat }: ValidateDAGRequest): number {
  return FINDINGS_BYTES + (graphFormat === GraphFormat.UNSPECIFIED ? 0 : DRAWING_BYTES);
}

type Ids = AuthorityContext['policy']['token']['ids'];

function leafBytes(ids: Ids, tasks: number, pred: number, hasPolicy: boolean): number {
  return LEAF_BYTES + tasks + pred * PRED_LEAF_BYTES[ids] + (hasPolicy ? POLICY_LEAF_BYTES : 0);
}

/** Whether it may hold policy claims: their names begin with these. An escape may hide one. */
function namesPolicy(text: string): boolean {
  return POLICY_NAME.test(text);
}

const POLICY_NAME = /"pol|"comp|\\u/;

/** Counts so many characters that are to be decoded or parsed. */
type Spend = (characters: number) => void;

/** The results of all items, and `more`. Long lists are measured in slices: between two of them others are served. */
function sumOf<Item extends { readonly reference: string }>(
  items: readonly Item[],
  more: number,
  yielder: Yielder,
  bytesOf: (item: Item, spend: Spend) => number,
): Size {
  let [bytes, steps] = [more, 0];
  const spend: Spend = (characters) => {
    steps += characters / CHARACTERS_PER_STEP;
  };
  const measure = (from: number): Size => {
    for (let at = from; at < items.length; at++) {
      const item = items[at]!;
      steps = STEPS_PER_ITEM;
      bytes += RESULT_BYTES + item.reference.length + bytesOf(item, spend);
      if (yielder.step(steps)) return yielder.yield().then(() => measure(at + 1));
    }
    return bytes;
  };
  return measure(0);
}

const STEPS_PER_ITEM = 8;

/** That are decoded, parsed and counted. */
const CHARACTERS_PER_STEP = 32;

/** A receipt without its leaf, in either of its forms. */
function receiptBytes({ ledger }: AuthorityContext, items: number): number {
  const depth = Math.ceil(Math.log2(ledger.size + items + ENTRIES_MEANWHILE));
  const checkpoint = 2 * Buffer.byteLength(ledger.verifierKey) + 56;
  return checkpoint + depth * PROOF_STEP_BYTES + 130;
}

function bindingBytes({ value }: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): number {
  if (value === undefined) return 0;
  return typeof value === 'string' ? 16 + textBytes(value) + HASH_BYTES : 16 + HASH_BYTES;
}

/** What a leaf takes over from a token. Nothing is verified here. */
interface Taken {
  readonly tasks: number;
  /** How many predecessors there are at most. */
  readonly pred: number;
  readonly hasPolicy: boolean;
}

/** Undefined for what is rejected. */
function tasksOf(token: string, ids: Ids): Taken | undefined {
  const payload = payloadOf(token);
  const text = payload.toString('utf8');
  const hasPolicy = namesPolicy(text);
  // The names of claims that a leaf does not have make up for what it adds to those that it has.
  if (payload.length <= SMALL_PAYLOAD_BYTES && ids === 'uuid') {
    const pred = text.includes('"pred":[]') ? 0 : Math.floor(payload.length / UUID_BYTES);
    return { tasks: Math.max(0, payload.length - PAYLOAD_BYTES), pred, hasPolicy };
  }
  try {
    const { jti, wid, iss, pred, par } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const lists = [pred, par].filter((list) => Array.isArray(list));
    if (lists.some((list) => list.length > MAX_PREDECESSORS)) return undefined;
    const tasks: readonly unknown[] = lists.flat();
    const texts = [jti, wid, iss, ...tasks].filter((member) => typeof member === 'string');
    return { tasks: listBytes(texts), pred: tasks.length, hasPolicy };
  } catch {
    return undefined;
  }
}
