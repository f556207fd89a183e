// Computes an upper bound, in bytes of protobuf, for the response of a batch from its request alone. Before the batch runs, the memory is
// reserved, and a batch whose response could exceed the limit is rejected. A field that is longer than its limit is rejected later; it is
// recognised by its length alone, without decoding or parsing, and counts as an error.

import { APPEND_STEPS, type AuthorityContext, callerName, ISSUE_STEPS, VERIFY_STEPS } from '../authority/index.ts';
import type { Call } from '../calls/call.ts';
import { MAX_BATCH_ITEMS, MAX_NAME_BYTES } from '../calls/message-limits.ts';
import { createYielder, type Yielder } from '../concurrency/yielder.ts';
import {
  type BatchAppendLedgerItem,
  type BatchIssueItem,
  type BatchVerifyItem,
  type IssueRequest,
  VerifyMode,
} from '../gen/ect/v1/authority_pb.ts';
import { Level } from '../gen/ect/v1/token_pb.ts';
import {
  MAX_AUDIENCES,
  MAX_EXEC_ACT_CHARACTERS,
  MAX_PREDECESSORS,
  MAX_URI_BYTES,
  SEALED_BYTES,
} from '../token/index.ts';
import { appendDetailBytes, issueDetailBytes, verdictDetailBytes } from './detail-budget.ts';
import { ERROR_BYTES } from './item-errors.ts';
import {
  APPENDED_BYTES,
  checksBytes,
  claimsFieldBytes,
  entryFieldBytes,
  fieldBytes,
  ISSUED_BYTES,
  KID,
  LEAST_PAYLOAD_BYTES,
  leafBytes,
  PAYLOAD_BYTES,
  payloadFieldBytes,
  REPORT_FIELD_BYTES,
  receiptFieldBytes,
  type TaskTexts,
  VERDICT_BYTES,
} from './message-sizes.ts';
import { depthOf, entriesWhileValid } from './proof-depth.ts';
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

const CHECKS_BYTES = {
  issue: checksBytes(ISSUE_STEPS),
  verify: checksBytes(VERIFY_STEPS),
  append: checksBytes(APPEND_STEPS),
};
const UUID_BYTES = 36;
/** The workflow of a predecessor in a leaf. An id that is not a UUID has up to 256 characters, and JSON may escape each of them. */
const PRED_WID_BYTES = { uuid: 40, text: 516 };
/** The maximum length of an id and of a hash in a claim. */
const MAX_NAME_CHARACTERS = 256;
/** Up to this size the whole payload is counted as part of the leaf. */
const SMALL_PAYLOAD_BYTES = 480;

/** The size of a response; a promise if the computation takes more than one slice. */
type Size = number | Promise<number>;

export function issuedBytes(context: AuthorityContext, items: readonly BatchIssueItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const own = Math.max(textBytes(context.policy.issuer), textBytes(callerName(call.caller)));
  const depth = depthOf(context, entriesWhileValid(context, items));
  return sumOf(items, issueDetailBytes(items), createYielder(call), ({ request }, spend) =>
    request === undefined ? ERROR_BYTES : issueBytes(context, request, own, depth, spend),
  );
}

/** `own` is the issuer that is used if the request names none. */
function issueBytes(
  context: AuthorityContext,
  request: IssueRequest,
  own: number,
  depth: number,
  spend: Spend,
): number {
  const rejected = request.dryRun ? Math.max(ERROR_BYTES, CHECKS_BYTES.issue) : ERROR_BYTES;
  if (isBeyondLimits(request)) return rejected;
  const { jti, wid, execAct, aud, pred, inputBinding, outputBinding } = request;
  const names = jti.length + wid.length + execAct.length + request.iss.length;
  const characters = names + lengthOf(aud) + lengthOf(pred);
  const { maxTokenBytes, ids } = context.policy.token;
  if (characters > maxTokenBytes) return rejected;
  spend(characters);
  // A claim must not have control characters, so this item will be rejected.
  if (hasControl(jti) || hasControl(wid) || hasControl(execAct) || hasControl(request.iss)) return rejected;
  if (aud.some(hasControl) || pred.some(hasControl)) return rejected;
  const ext = extensionText(request.extension);
  if (ext === undefined) return rejected;
  spend(ext.length);
  const task = {
    jti: jti === '' ? UUID_BYTES : textBytes(jti),
    wid: textBytes(wid),
    iss: request.iss === '' ? own : textBytes(request.iss),
    pred: listBytes(pred),
  };
  const bindings = { inpHash: bindingBytes(inputBinding), outHash: bindingBytes(outputBinding) };
  const others = { ...bindings, execAct: textBytes(execAct), aud: listBytes(aud) };
  const extBytes = Buffer.byteLength(ext);
  const policy = namesPolicy(ext) ? extBytes : 0;
  const claims = claimsFieldBytes({
    ...task,
    ...others,
    struct: ext === '' ? 0 : structBytes(Buffer.from(ext)),
    policy,
  });
  const report = pred.length === 0 ? 0 : REPORT_FIELD_BYTES;
  const answered = claims + fieldBytes(KID) + ISSUED_BYTES + report;
  if (request.dryRun) return Math.max(rejected, answered + CHECKS_BYTES.issue);
  const texts = task.jti + task.wid + task.iss + task.pred + others.execAct + others.aud;
  const payload = PAYLOAD_BYTES + texts + bindings.inpHash + bindings.outHash + extBytes;
  const issued = answered + fieldBytes(Math.min(SEALED_BYTES + base64Bytes(payload), maxTokenBytes));
  if (request.level !== Level.L3) return Math.max(rejected, issued);
  const leaf = leafBytes(task, KID, pred.length * PRED_WID_BYTES[ids]);
  const receipt = receiptFieldBytes(leaf, context.ledger.verifierKey, depth, request.receiptFormat);
  return Math.max(rejected, issued + receipt);
}

function lengthOf(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) length += text.length;
  return length;
}

/** Whether a field is longer than its limit. It runs for every item, so it allocates nothing. */
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

/** Whether an id or a hash is too long. The octets of an input have another limit. */
function isLongName(name: string | Uint8Array | undefined): boolean {
  return typeof name === 'string' && name.length > MAX_NAME_CHARACTERS;
}

export function appendedBytes(context: AuthorityContext, items: readonly BatchAppendLedgerItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const depth = depthOf(context);
  const { maxTokenBytes, ids } = context.policy.token;
  return sumOf(items, appendDetailBytes(items), createYielder(call), ({ request }, spend) => {
    if (request === undefined) return ERROR_BYTES;
    const { token, dryRun, receiptFormat } = request;
    const checks = dryRun ? CHECKS_BYTES.append + APPENDED_BYTES : 0;
    const rejected = Math.max(ERROR_BYTES, checks);
    if (token.length > maxTokenBytes) return rejected;
    spend(token.length);
    const taken = tasksOf(token, ids);
    if (taken === undefined) return rejected;
    const kid = kidBytes(token);
    const leaf = leafBytes(taken.task, kid, taken.pred * PRED_WID_BYTES[ids]);
    const receipt = receiptFieldBytes(leaf, context.ledger.verifierKey, depth, receiptFormat);
    return Math.max(rejected, entryFieldBytes(taken.task, kid, token.length) + receipt + APPENDED_BYTES + checks);
  });
}

export function verdictBytes(context: AuthorityContext, items: readonly BatchVerifyItem[], call: Call): Size {
  if (items.length > MAX_BATCH_ITEMS) return 0;
  const { maxTokenBytes } = context.policy.token;
  return sumOf(items, verdictDetailBytes(items), createYielder(call), ({ request }, spend) => {
    if (request === undefined) return ERROR_BYTES;
    const { token, verifyMode } = request;
    // A verdict may have both a finding and claims.
    const checks = verifyMode === VerifyMode.REPORT ? CHECKS_BYTES.verify : 0;
    const rejected = ERROR_BYTES + VERDICT_BYTES + REPORT_FIELD_BYTES + checks;
    if (token.length > maxTokenBytes) return rejected;
    spend(token.length);
    const payload = payloadOf(token);
    const policy = namesPolicy(payload.toString('latin1')) ? payload.length : 0;
    return rejected + fieldBytes(kidBytes(token)) + payloadFieldBytes(claimsBytes(payload), policy);
  });
}

type Ids = AuthorityContext['policy']['token']['ids'];

/** Whether the text may contain policy claims: all their names begin with one of these. An escape may hide a name, so it counts too. */
function namesPolicy(text: string): boolean {
  return POLICY_NAME.test(text);
}

const POLICY_NAME = /"pol|"comp|\\u/;

/** Counts characters that are decoded or parsed. */
type Spend = (characters: number) => void;

/** Returns the sum of the results of all items, and `more`. Long lists are measured in slices, so that other calls can run in between. */
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
      bytes += fieldBytes(referenceBytes(item.reference) + fieldBytes(bytesOf(item, spend)));
      if (yielder.step(steps)) return yielder.yield().then(() => measure(at + 1));
    }
    return bytes;
  };
  return measure(0);
}

/** A batch with a longer reference is rejected as a whole. */
function referenceBytes(reference: string): number {
  return reference.length > MAX_NAME_BYTES ? 0 : fieldBytes(textBytes(reference));
}

const STEPS_PER_ITEM = 8;

/** How many characters are decoded, parsed and counted in one step of the yielder. */
const CHARACTERS_PER_STEP = 32;

function bindingBytes({ value }: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): number {
  if (value === undefined) return 0;
  return typeof value === 'string' ? textBytes(value) : KID;
}

/** Returns the maximum size of the key id in the header of a token. It follows from the length of the header, which is not decoded. */
function kidBytes(token: string): number {
  return Math.max(KID, Math.ceil((token.indexOf('.') * 3) / 4) - LEAST_HEADER_BYTES);
}

const LEAST_HEADER_BYTES = Buffer.byteLength(JSON.stringify({ alg: 'ES256', typ: 'exec+jwt', kid: '' }));

/** The sizes of what a leaf copies from a token. Nothing is verified here. */
interface Taken {
  readonly task: TaskTexts;
  /** The maximum number of predecessors. */
  readonly pred: number;
}

/** Undefined for a token that will be rejected. */
function tasksOf(token: string, ids: Ids): Taken | undefined {
  const payload = payloadOf(token);
  const text = payload.toString('utf8');
  // The names of claims that the leaf does not contain compensate for the names that only the leaf has.
  if (payload.length <= SMALL_PAYLOAD_BYTES && ids === 'uuid') {
    const pred = text.includes('"pred":[]') ? 0 : Math.floor(payload.length / UUID_BYTES);
    const iss = Math.max(0, payload.length - LEAST_PAYLOAD_BYTES);
    return { task: { jti: 0, wid: 0, iss, pred: 0 }, pred };
  }
  try {
    const { jti, wid, iss, pred, par } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const lists = [pred, par].filter((list) => Array.isArray(list));
    if (lists.some((list) => list.length > MAX_PREDECESSORS)) return undefined;
    const tasks = lists.flat().filter((member): member is string => typeof member === 'string');
    const [ofJti, ofWid, ofIss] = [jti, wid, iss].map((member) => (typeof member === 'string' ? textBytes(member) : 0));
    return { task: { jti: ofJti!, wid: ofWid!, iss: ofIss!, pred: listBytes(tasks) }, pred: tasks.length };
  } catch {
    return undefined;
  }
}
