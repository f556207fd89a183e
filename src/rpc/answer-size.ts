// How large an answer can become, from its request alone: room for it is reserved before anything is done. Bytes of protobuf, at
// most; tests hold the figures against real answers.

import { type AuthorityParts, callerName } from '../authority/index.ts';
import {
  type BatchAppendLedgerItem,
  type BatchIssueItem,
  type BatchVerifyItem,
  DagMode,
  GraphFormat,
  type IssueRequest,
  type ValidateDAGRequest,
} from '../gen/ect/v1/authority_pb.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import type { Call } from './call.ts';

/** Tags and lengths of a result, and of what it holds. */
const RESULT_BYTES = 48;
/** A refusal with its details. */
const ERROR_BYTES = 1_024;
/** The rows of a dry run, or of a verdict. */
const CHECKS_BYTES = 2_048;
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
/** A workflow of a predecessor in a leaf, where it is another. */
const PRED_LEAF_BYTES = 40;
/** What is reported of a predecessor: that it is unresolved, or tainted. */
const PRED_REPORT_BYTES = 256;
/** Each colon, comma and bracket of JSON text stands for so much of a Struct, at most. */
const STRUCT_BYTES = 12;
/** A hash of the inclusion proof: as bytes, and as a line of text. */
const PROOF_STEP_BYTES = 34 + 45;
/** What others record before the answer is made: a tree of twice the size has one step more. */
const ENTRIES_MEANWHILE = 16_000;
/** Payloads up to this size are taken as if all of it were in the leaf. */
const SMALL_PAYLOAD_BYTES = 480;

const MIB = 1024 * 1024;
/** A page of entries, and the findings about a graph, are cut at these. */
const PAGE_BYTES = 2 * MIB + 65_536;
const ENTRY_BYTES = 40_960;
const FINDINGS_BYTES = 1.5 * MIB + 65_536;
const DRAWING_BYTES = 1.5 * MIB;

export function issuedBytes(parts: AuthorityParts, items: readonly BatchIssueItem[], call: Call): number {
  const own = Math.max(parts.policy.issuer.length, callerName(call.caller).length);
  const receipt = receiptBytes(parts, items.length);
  return sumOf(items, ({ reference, request }) => {
    if (request === undefined) return reference.length + ERROR_BYTES;
    return reference.length + Math.max(ERROR_BYTES, issueBytes(request, own, receipt));
  });
}

/** `receipt`: of an answer without its leaf. */
function issueBytes(request: IssueRequest, own: number, receipt: number): number {
  const { jti, wid, execAct, aud, pred, extension, inputBinding, outputBinding } = request;
  const iss = request.iss === '' ? own : textBytes(request.iss);
  const ext = extensionText(extension);
  const tasks = (jti === '' ? UUID_BYTES : textBytes(jti)) + textBytes(wid) + iss + listBytes(pred);
  const flat = tasks + listBytes(aud) + textBytes(execAct) + bindingBytes(inputBinding) + bindingBytes(outputBinding);
  const payload = PAYLOAD_BYTES + flat + Buffer.byteLength(ext);
  const hasPolicy = namesPolicy(ext);
  // Policy claims are answered once more by themselves.
  const claims = CLAIMS_BYTES + flat + structBytes(ext) + (hasPolicy ? ext.length : 0);
  const token = request.dryRun ? CHECKS_BYTES : SEALED_BYTES + base64Bytes(payload);
  const dag = pred.length === 0 ? 0 : RESULT_BYTES + listBytes(pred) + pred.length * PRED_REPORT_BYTES;
  const isRecorded = request.level === Level.L3 && !request.dryRun;
  const leaf = isRecorded ? leafBytes(tasks, pred.length, hasPolicy) : 0;
  return token + claims + dag + KID_BYTES + (isRecorded ? receipt + leaf : 0);
}

export function appendedBytes(parts: AuthorityParts, items: readonly BatchAppendLedgerItem[]): number {
  const receipt = receiptBytes(parts, items.length);
  return sumOf(items, ({ reference, request }) => {
    if (request === undefined) return reference.length + ERROR_BYTES;
    const { token, dryRun } = request;
    const { tasks, pred, hasPolicy } = tasksOf(token);
    const leaf = leafBytes(tasks, pred, hasPolicy);
    // The entry says the leaf once more, in fields.
    const entry = token.length + 2 * leaf + RESULT_BYTES;
    const bytes = entry + leaf + receipt + (dryRun ? CHECKS_BYTES : 0);
    return reference.length + Math.max(ERROR_BYTES, bytes);
  });
}

export function verdictBytes(items: readonly BatchVerifyItem[]): number {
  return sumOf(items, ({ reference, request }) => {
    if (request === undefined) return reference.length + ERROR_BYTES;
    const { token, dag, predecessors } = request;
    const payload = payloadOf(token).toString('latin1');
    const claims = CLAIMS_BYTES + structBytes(payload);
    const looksAtGraph = dag !== DagMode.NONE && (dag !== DagMode.UNSPECIFIED || predecessors.length > 0);
    return reference.length + CHECKS_BYTES + claims + (looksAtGraph ? ERROR_BYTES : 0);
  });
}

export function pageBytes(pageSize: number): number {
  return pageSize <= 0 ? PAGE_BYTES : Math.min(PAGE_BYTES, pageSize * ENTRY_BYTES);
}

export function workflowBytes(pageSize: number, pageToken: string): number {
  return pageBytes(pageSize) + (pageToken === '' ? FINDINGS_BYTES : 0);
}

export function graphBytes({ graph }: ValidateDAGRequest): number {
  return FINDINGS_BYTES + (graph === GraphFormat.UNSPECIFIED ? 0 : DRAWING_BYTES);
}

function leafBytes(tasks: number, pred: number, hasPolicy: boolean): number {
  return LEAF_BYTES + tasks + pred * PRED_LEAF_BYTES + (hasPolicy ? POLICY_LEAF_BYTES : 0);
}

/** Whether it may hold policy claims: their names begin with these. An escape may hide one. */
function namesPolicy(text: string): boolean {
  return /"pol|"comp|\\u/.test(text);
}

function sumOf<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  let bytes = 0;
  for (const item of items) bytes += RESULT_BYTES + bytesOf(item);
  return bytes;
}

/** A receipt without its leaf: the proof is there as bytes and as text, and so is the checkpoint, twice. */
function receiptBytes({ ledger }: AuthorityParts, items: number): number {
  const depth = Math.ceil(Math.log2(ledger.size + items + ENTRIES_MEANWHILE));
  const checkpoint = 2 * Buffer.byteLength(ledger.verifierKey) + 56;
  return 2 * checkpoint + depth * PROOF_STEP_BYTES + 190;
}

/** As JSON spells it, which is never shorter than the text. */
function textBytes(text: string): number {
  return /["\\\p{Cc}\p{Cs}]/u.test(text) ? Buffer.byteLength(JSON.stringify(text)) : Buffer.byteLength(text);
}

function listBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += 3 + textBytes(text);
  return bytes;
}

function bindingBytes({ value }: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): number {
  if (value === undefined) return 0;
  return typeof value === 'string' ? 16 + textBytes(value) + HASH_BYTES : 16 + HASH_BYTES;
}

/** What cannot be an extension is refused later, and takes no room. */
function extensionText({ case: kind, value }: IssueRequest['extension']): string {
  if (kind === 'ectExtJson') return value;
  try {
    return kind === 'ectExt' ? JSON.stringify(value) : '';
  } catch {
    return '';
  }
}

function structBytes(text: string): number {
  let bytes = Buffer.byteLength(text);
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === COLON || sign === COMMA || sign === OPEN_BRACKET || sign === OPEN_BRACE) bytes += STRUCT_BYTES;
  }
  return bytes;
}

const [COLON, COMMA, OPEN_BRACKET, OPEN_BRACE] = [0x3a, 0x2c, 0x5b, 0x7b];

function base64Bytes(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** What a leaf takes over from a token. Nothing is verified here. */
interface Taken {
  readonly tasks: number;
  /** How many predecessors there are at most. */
  readonly pred: number;
  readonly hasPolicy: boolean;
}

function tasksOf(token: string): Taken {
  const payload = payloadOf(token);
  const text = payload.toString('utf8');
  const hasPolicy = namesPolicy(text);
  // The names of claims that a leaf does not have make up for what it adds to those that it has.
  if (payload.length <= SMALL_PAYLOAD_BYTES) {
    const pred = text.includes('"pred":[]') ? 0 : Math.floor(payload.length / UUID_BYTES);
    return { tasks: Math.max(0, payload.length - PAYLOAD_BYTES), pred, hasPolicy };
  }
  try {
    const { jti, wid, iss, pred, par } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const tasks = [pred, par].flatMap((list) => (Array.isArray(list) ? list : []));
    const texts = [jti, wid, iss, ...tasks].filter((member) => typeof member === 'string');
    return { tasks: listBytes(texts), pred: tasks.length, hasPolicy };
  } catch {
    // It is refused.
    return { tasks: 0, pred: 0, hasPolicy };
  }
}

/** The payload of a signed token, or an unsigned one as it is. */
function payloadOf(token: string): Buffer {
  if (token.startsWith('{')) return Buffer.from(token);
  const [header = '', payload = header] = token.split('.', 2);
  return Buffer.from(payload, 'base64url');
}
