// How many bytes the messages of a response have at most, in protobuf. Each function has a term for each field that is written; a test
// fills every field of every response, and compares. Sizes of texts are those that JSON needs, so that the JSON form of a message has at
// most twice these bytes (transport/response-memory.ts).

import type { StepRule } from '../authority/index.ts';
import { ReceiptFormat } from '../gen/ect/v1/ledger_pb.ts';

/** A field with its tag and length. Field numbers of responses are below 16, messages below 2 MiB. */
export function fieldBytes(bytes: number): number {
  return bytes + (bytes < 128 ? 2 : bytes < 16_384 ? 3 : 4);
}

/** An enum or a truth value. */
const ENUM = 2;
/** A count of a graph: an int32 that is not negative. */
const COUNT = 6;
/** An int64 within the safe integers of JavaScript. */
const INT64 = 9;
/** A timestamp until the year 9999. */
const SECONDS = 9;
const MILLISECONDS = 15;
/** A key id of this service: a SHA-256 in base64url. */
export const KID = 43;
const SHA_256 = 32;
/** A SHA-256 in base64 on a line of its own. */
const HASH_LINE = 45;

/** The texts of a token. Lists as `listBytes` counts them. */
export interface TaskTexts {
  readonly jti: number;
  readonly wid: number;
  readonly iss: number;
  readonly pred: number;
}

interface ClaimsTexts extends TaskTexts {
  readonly execAct: number;
  readonly aud: number;
  readonly inpHash: number;
  readonly outHash: number;
  /** The extension as a Struct, and its JSON text: the texts of PolicyClaims are in it. */
  readonly struct: number;
  readonly policy: number;
}

export function claimsFieldBytes(texts: ClaimsTexts): number {
  const { iss, aud, jti, wid, execAct, pred, inpHash, outHash, struct, policy } = texts;
  const ids = fieldBytes(iss) + fieldBytes(jti) + fieldBytes(wid) + fieldBytes(execAct);
  const hashes = fieldBytes(inpHash) + fieldBytes(outHash);
  const ext = (struct === 0 ? 0 : fieldBytes(struct)) + policyFieldBytes(policy);
  return fieldBytes(ids + aud + pred + hashes + 2 * SECONDS + ext);
}

/** Claims of which only the JSON text is known: `struct` is the size of that text where its extension is a Struct. */
export function payloadFieldBytes(struct: number, policy: number): number {
  return fieldBytes(struct + 2 * SECONDS + policyFieldBytes(policy));
}

/** Four texts, a time and a truth value. `texts`: of a text that has all of them; 0: it has none. */
function policyFieldBytes(texts: number): number {
  return texts === 0 ? 0 : fieldBytes(4 * fieldBytes(0) + POLICY_LENGTHS + texts + SECONDS + ENUM);
}

/** Lengths of three texts that need two bytes more than `fieldBytes(0)` has. */
const POLICY_LENGTHS = 6;

/** Names and numbers of a payload, and what is between them. */
export const PAYLOAD_BYTES = Buffer.byteLength(
  JSON.stringify({
    iss: '',
    aud: [],
    iat: 100_000_000_000,
    exp: 100_000_000_000,
    jti: '',
    wid: '',
    exec_act: '',
    pred: [],
    inp_hash: 'sha-256:',
    out_hash: 'sha-256:',
    ect_ext: '',
  }),
);

/** The least that a payload has besides the texts that a leaf takes from it: `exec_act` and `aud` have a character each. */
export const LEAST_PAYLOAD_BYTES = Buffer.byteLength(
  JSON.stringify({ iss: '', aud: 'a', iat: 1_000_000_000, exp: 1_000_000_000, jti: '', exec_act: 'a', pred: [] }),
);

/** Names and numbers of a leaf, and what is between them. */
const LEAF_BYTES = Buffer.byteLength(
  JSON.stringify({
    commitment: 'c'.repeat(KID),
    compensation: true,
    depth: 10_000_000_000,
    iat: 100_000_000_000,
    iss: '',
    jti: '',
    kid: '',
    level: 'L3',
    pol_decision: 'pending_human_review',
    pred: [],
    pred_wid: [],
    recorded_at: 100_000_000_000_000,
    review: true,
    v: 1,
    wid: '',
  }),
);

/** `predWids`: the workflows of the predecessors. */
export function leafBytes({ jti, wid, iss, pred }: TaskTexts, kid: number, predWids: number): number {
  return LEAF_BYTES + jti + wid + iss + pred + kid + predWids;
}

/** Around the hashes: the first line, the salt, the index and an empty line. */
const TLOG_PROOF_BYTES =
  'c2sp.org/tlog-proof@v1\n'.length + 'extra \n'.length + 44 + 'index 9007199254740991\n\n'.length;
/** Around the names: the size, the root, and the signature with the id of its key. */
const CHECKPOINT_BYTES = Buffer.byteLength('\n9007199254740991\n\n\n—  \n') + 44 + 92;
/** After the name in a verifier key: the id of the key, and the key. */
const KEY_BYTES = '+00000000+'.length + 44;

/** A receipt in a tree of this depth. */
export function receiptFieldBytes(leaf: number, verifierKey: string, depth: number, format: ReceiptFormat): number {
  const checkpoint = CHECKPOINT_BYTES + 2 * (Buffer.byteLength(verifierKey) - KEY_BYTES);
  const proof =
    format === ReceiptFormat.TLOG_PROOF
      ? TLOG_PROOF_BYTES + depth * HASH_LINE + checkpoint
      : 2 * INT64 + (depth + 1) * fieldBytes(SHA_256) + fieldBytes(checkpoint);
  return fieldBytes(fieldBytes(leaf) + fieldBytes(proof));
}

/** An entry of a task with its token, beside a receipt: no leaf and no salt. */
export function entryFieldBytes({ jti, wid, iss, pred }: TaskTexts, kid: number, token: number): number {
  const name = fieldBytes(fieldBytes(jti) + fieldBytes(wid));
  const task = name + fieldBytes(iss) + pred + SECONDS + fieldBytes(kid) + fieldBytes(token);
  return fieldBytes(INT64 + MILLISECONDS + fieldBytes(task));
}

/** A report without its lists, whose rows take their room from the batch. */
export const REPORT_FIELD_BYTES = fieldBytes(3 * ENUM + 2 * COUNT);

/** The rows of these steps, each with a finding that has the reason alone: what else findings say takes its room from the batch. */
export function checksBytes(steps: readonly StepRule[]): number {
  let bytes = 0;
  for (const { name, rule } of steps) {
    bytes += fieldBytes(
      fieldBytes(Buffer.byteLength(name)) + ENUM + FINDING_BYTES + fieldBytes(Buffer.byteLength(rule)),
    );
  }
  return bytes;
}

const FINDING_BYTES = fieldBytes(1 + ENUM);

/** Level, key and truth values of a response. */
export const ISSUED_BYTES = ENUM;
export const VERDICT_BYTES = 2 * ENUM;
export const APPENDED_BYTES = ENUM;
