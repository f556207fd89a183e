// Converts entries and receipts of the ledger into messages.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Leaf, type LossLeaf, type MarkLeaf, readLeaf } from '../authority/index.ts';
import { KeyState } from '../gen/ect/v1/keys_pb.ts';
import { type EntrySchema, ReceiptFormat, type ReceiptSchema } from '../gen/ect/v1/ledger_pb.ts';
import type { KeyLeaf } from '../key-manager/index.ts';
import type { LedgerRecord, Receipt } from '../ledger/index.ts';
import type { ProvenanceFields } from './provenance-messages.ts';

type EntryFields = MessageInitShape<typeof EntrySchema>;
type EntryBody = NonNullable<Exclude<EntryFields, { readonly $typeName: string }>['body']>;

/** Converts an entry for a response that also contains its receipt, which has the leaf and the salt. */
export function writeEntry(record: LedgerRecord, provenance?: ProvenanceFields): EntryFields {
  return { ...placeOf(record), body: writeBody(record, record.content), ...(provenance && { provenance }) };
}

/** Converts an entry of a list: with its leaf, and, if requested and not erased, with content and salt. */
export function writeListedEntry(
  record: LedgerRecord,
  withContent: boolean,
  provenance?: ProvenanceFields,
): EntryFields {
  const { leaf, salt, content } = record;
  return {
    ...placeOf(record),
    body: writeBody(record, withContent ? content : null),
    leaf: leaf as Uint8Array<ArrayBuffer>,
    ...(provenance && { provenance }),
    ...(withContent && salt !== null ? { salt: salt as Uint8Array<ArrayBuffer> } : {}),
  };
}

function placeOf({ index, recordedAtMs }: LedgerRecord) {
  return { index: BigInt(index), recordedAt: timestampFromMs(recordedAtMs) };
}

function writeBody(record: LedgerRecord, content: Uint8Array | null): EntryBody {
  const leaf = readLeaf(record);
  switch (leaf.type) {
    case 'taint':
      return { case: 'taint', value: writeTaint(leaf, content) };
    case 'key':
      return { case: 'key', value: writeKey(leaf, content) };
    case 'loss':
      return { case: 'loss', value: writeLoss(leaf, content) };
    default:
      return { case: 'task', value: writeTask(leaf, content) };
  }
}

function writeTask({ wid, jti, iss, pred, iat, kid }: Leaf, content: Uint8Array | null) {
  const token = content === null ? '' : Buffer.from(content).toString('latin1');
  return { name: { wid: wid ?? '', jti }, iss, pred: [...pred], iat: { seconds: BigInt(iat), nanos: 0 }, kid, token };
}

function writeTaint({ wid, jti, kid, compromised_since: sinceMs, iss }: MarkLeaf, content: Uint8Array | null) {
  const subject =
    jti === undefined
      ? ({ case: 'kid', value: kid ?? '' } as const)
      : ({ case: 'task', value: { wid: wid ?? '', jti } } as const);
  const since = sinceMs === undefined ? {} : { compromisedSince: timestampFromMs(sinceMs) };
  return { subject, ...since, statedBy: iss, statement: textOf(content) };
}

function writeKey({ kid, state, iss }: KeyLeaf, content: Uint8Array | null) {
  return { kid, state: KEY_STATES[state], statedBy: iss, statement: textOf(content) };
}

function writeLoss({ size, root }: LossLeaf, content: Uint8Array | null) {
  return { shownSize: BigInt(size), shownRootHash: Buffer.from(root, 'base64'), statement: textOf(content) };
}

function textOf(content: Uint8Array | null): string {
  return content === null ? '' : Buffer.from(content).toString('utf8');
}

export const KEY_STATES = {
  announced: KeyState.ANNOUNCED,
  active: KeyState.ACTIVE,
  retired: KeyState.RETIRED,
  revoked: KeyState.REVOKED,
} as const;

/** Converts a receipt: into fields, or into the text format if requested. */
export function writeReceipt(receipt: Receipt, format?: ReceiptFormat): MessageInitShape<typeof ReceiptSchema> {
  const leaf = receipt.leaf as Uint8Array<ArrayBuffer>;
  if (format === ReceiptFormat.TLOG_PROOF) return { leaf, proof: { case: 'tlogProof', value: receipt.tlogProof } };
  const { leafIndex, treeSize, hashes, checkpoint, salt } = receipt;
  return {
    leaf,
    proof: {
      case: 'inclusion',
      value: {
        leafIndex: BigInt(leafIndex),
        treeSize: BigInt(treeSize),
        hashes: [...hashes] as Uint8Array<ArrayBuffer>[],
        checkpoint,
        ...(salt === null ? {} : { salt: salt as Uint8Array<ArrayBuffer> }),
      },
    },
  };
}
