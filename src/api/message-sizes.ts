// The maximum sizes of response messages, in bytes of protobuf. Each function has a term for each field that is written; a test fills
// every field of every response and compares. Texts are counted in the size that JSON needs, so that the JSON form of a message has at
// most twice these bytes (transport/response-memory.ts).

import type { StepRule } from '../authority/index.ts';
import { ReceiptFormat } from '../gen/ect/v1/ledger_pb.ts';

/**
 * Returns the size of a field of this many bytes with its tag and length. Field numbers of responses are below 16, messages below 2 MiB.
 */
export function fieldBytes(bytes: number): number {
  return bytes + (bytes < 128 ? 2 : bytes < 16_384 ? 3 : 4);
}

/** An enum or a boolean. */
const ENUM = 2;
/** A count in a graph: a non-negative int32. */
const COUNT = 6;
/** An int64 in the range of safe integers of JavaScript. */
const INT64 = 9;
/** A timestamp before the year 10000. */
const SECONDS = 9;
const MILLISECONDS = 15;
/** A key id of this service: SHA-256 in base64url. */
export const KID = 43;
const SHA_256 = 32;
/** A SHA-256 in base64, with a line end. */
const HASH_LINE = 45;

/** The sizes of the texts of a token, in bytes. Lists are counted by `listBytes`. */
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
  /** The extension as a Struct and its JSON text. It includes the texts of PolicyClaims. */
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

/**
 * Returns the size of claims of which only the JSON text is known. `struct` is the size of the text if it contains an extension, which
 * becomes a Struct.
 */
export function payloadFieldBytes(struct: number, policy: number): number {
  return fieldBytes(struct + 2 * SECONDS + policyFieldBytes(policy));
}

/**
 * Returns the size of PolicyClaims: four texts, a time and a boolean. `texts` is the size of a text that contains all of them; 0 means
 * that there are no policy claims.
 */
function policyFieldBytes(texts: number): number {
  return texts === 0 ? 0 : fieldBytes(4 * fieldBytes(0) + POLICY_LENGTHS + texts + SECONDS + ENUM);
}

/** Three texts can have a length that needs two bytes more than `fieldBytes(0)` counts. */
const POLICY_LENGTHS = 6;

/** The names, numbers and punctuation of a payload. */
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

/** The minimum size of a payload without the texts that its leaf contains too: `exec_act` and `aud` have one character each. */
export const LEAST_PAYLOAD_BYTES = Buffer.byteLength(
  JSON.stringify({ iss: '', aud: 'a', iat: 1_000_000_000, exp: 1_000_000_000, jti: '', exec_act: 'a', pred: [] }),
);

/** The names, numbers and punctuation of a leaf. */
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

/** `predWids` is the size of the workflows of the predecessors. */
export function leafBytes({ jti, wid, iss, pred }: TaskTexts, kid: number, predWids: number): number {
  return LEAF_BYTES + jti + wid + iss + pred + kid + predWids;
}

/** The parts of a TLOG_PROOF around its hashes: the first line, the salt, the index and an empty line. */
const TLOG_PROOF_BYTES =
  'c2sp.org/tlog-proof@v1\n'.length + 'extra \n'.length + 44 + 'index 9007199254740991\n\n'.length;
/** The parts of a checkpoint besides its names: the size, the root, and the signature with the key id. */
const CHECKPOINT_BYTES = Buffer.byteLength('\n9007199254740991\n\n\n—  \n') + 44 + 92;
/** The parts of a verifier key after the name: the key id and the key. */
const KEY_BYTES = '+00000000+'.length + 44;

/** Returns the size of a receipt in a tree of this depth. */
export function receiptFieldBytes(leaf: number, verifierKey: string, depth: number, format: ReceiptFormat): number {
  const checkpoint = CHECKPOINT_BYTES + 2 * (Buffer.byteLength(verifierKey) - KEY_BYTES);
  const proof =
    format === ReceiptFormat.TLOG_PROOF
      ? TLOG_PROOF_BYTES + depth * HASH_LINE + checkpoint
      : 2 * INT64 + (depth + 1) * fieldBytes(SHA_256) + fieldBytes(checkpoint);
  return fieldBytes(fieldBytes(leaf) + fieldBytes(proof));
}

/** Returns the size of an entry of a task with its token, beside a receipt, which contains leaf and salt. */
export function entryFieldBytes({ jti, wid, iss, pred }: TaskTexts, kid: number, token: number): number {
  const name = fieldBytes(fieldBytes(jti) + fieldBytes(wid));
  const task = name + fieldBytes(iss) + pred + SECONDS + fieldBytes(kid) + fieldBytes(token);
  return fieldBytes(INT64 + MILLISECONDS + fieldBytes(task));
}

/** A report without its lists; the rows of these use the shared budget of the batch. */
export const REPORT_FIELD_BYTES = fieldBytes(3 * ENUM + 2 * COUNT);

/**
 * Returns the size of the rows of these steps, each with a finding that has only its reason. Everything else in findings uses the shared
 * budget of the batch.
 */
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

/** The level, key and booleans of a response. */
export const ISSUED_BYTES = ENUM;
export const VERDICT_BYTES = 2 * ENUM;
export const APPENDED_BYTES = ENUM;
