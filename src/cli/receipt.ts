// Receipts as files: kept after an append, and checked later without any service.

import { writeFile } from 'node:fs/promises';
import { fromJson, type JsonObject, type JsonValue, toJsonString } from '@bufbuild/protobuf';
import { fileFault } from '../files/system-faults.ts';
import { type Receipt, ReceiptSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type TlogProof, verifyReceipt, writeTlogProof } from '../ledger/index.ts';
import { placeLine } from './describe.ts';
import { EXIT, Rejected, WrongUsage } from './exit.ts';
import { type Io, type OutputOptions, paint, plain, print, printFailure, printJson } from './output.ts';
import { readBytes, readText } from './values.ts';

const TLOG_PROOF = /\.tlog-proof$/;

/**
 * Keeps a receipt and returns the files that were written. NAME.tlog-proof holds the proof that any C2SP tool checks; the
 * leaf that it is about stands beside it as NAME.leaf. Any other name gets the receipt as JSON, all in one file.
 */
export async function writeReceipt(path: string, receipt: Receipt): Promise<readonly string[]> {
  const files: readonly (readonly [string, string | Uint8Array])[] = TLOG_PROOF.test(path)
    ? [
        [path, tlogProofOf(receipt)],
        [leafBeside(path), receipt.leaf],
      ]
    : [[path, `${toJsonString(ReceiptSchema, receipt, { alwaysEmitImplicit: true, prettySpaces: 2 })}\n`]];
  for (const [name, content] of files) {
    try {
      await writeFile(name, content);
    } catch (cause) {
      throw new Rejected({
        reason: 'receipt_not_kept',
        message: `the entry is recorded, but its receipt is not kept: ${fileFault(name, cause, 'written')}`,
        remedy: 'Repeat the command with another file: the same entry is answered again.',
        metadata: {},
      });
    }
  }
  return files.map(([name]) => name);
}

/** The proof of a receipt, in whichever form it has it; undefined where it has none. It is not verified yet. */
export function proofOf({ proof }: Receipt): string | TlogProof | undefined {
  if (proof.case === 'tlogProof') return proof.value;
  if (proof.case !== 'inclusion') return undefined;
  const { leafIndex = 0n, hashes, checkpoint, salt } = proof.value;
  return { leafIndex: Number(leafIndex), hashes, checkpoint, salt: salt.length === 0 ? null : salt };
}

function tlogProofOf(receipt: Receipt): string {
  const proof = proofOf(receipt) ?? '';
  return typeof proof === 'string' ? proof : writeTlogProof(proof);
}

/** Where a receipt places its entry; empty where only a checked proof says so. */
export function receiptLine({ proof }: Receipt): string {
  if (proof.case !== 'inclusion') return '';
  return placeLine(proof.value.leafIndex ?? 0n, proof.value.treeSize);
}

/** What is to be checked, as the command line names it. */
export interface OfflineClaim {
  readonly token: string;
  /** File. */
  readonly receipt: string;
  /** File, for a tlog-proof; undefined: beside it. */
  readonly leaf: string | undefined;
  /** Text or `@file`. */
  readonly ledgerKey: string;
}

/** Checks that the ledger of the key has recorded exactly this token, and tells the outcome. */
export async function verifyOffline(io: Io, options: OutputOptions, claim: OfflineClaim): Promise<void> {
  const { leaf, tlogProof } = await readReceipt(io, claim);
  const verifierKey = await readText(io, claim.ledgerKey);
  const verdict = verifyReceipt({ leaf, tlogProof, verifierKey, content: Buffer.from(claim.token) });
  if (!verdict.ok) {
    io.exitCode = EXIT.rejected;
    const remedy = 'Check that receipt, token and ledger key belong together; `ect entry` answers a fresh receipt.';
    printFailure(io, options, { reason: 'receipt_invalid', message: verdict.fault, remedy, metadata: {} });
    return;
  }
  const { index, size } = verdict;
  if (options.json) {
    printJson(io, { valid: true, leafIndex: String(index), treeSize: String(size), leaf: leaf.toString('utf8') });
    return;
  }
  print(io, paint(io.stdout, 'green', `✓ recorded: ${placeLine(index, size)}`));
  print(io, `  ${plain(leaf.toString('utf8'))}`);
  print(io, '  The ledger verified the token when it recorded it. Its times and audience were not checked again here.');
}

async function readReceipt(io: Io, claim: OfflineClaim): Promise<{ leaf: Buffer; tlogProof: string | TlogProof }> {
  const text = (await readBytes(io, claim.receipt)).toString('utf8');
  if (!text.trimStart().startsWith('{')) {
    return { leaf: await readBytes(io, claim.leaf ?? leafBeside(claim.receipt)), tlogProof: text };
  }
  const receipt = parseReceipt(text, claim.receipt);
  const proof = proofOf(receipt);
  if (receipt.leaf.length === 0 || proof === undefined) {
    const missing = [...(receipt.leaf.length === 0 ? ['leaf'] : []), ...(proof === undefined ? ['proof'] : [])];
    throw new WrongUsage(`${claim.receipt} is no receipt: it has no ${missing.join(' and no ')}`);
  }
  return { leaf: Buffer.from(receipt.leaf), tlogProof: proof };
}

/** Unknown fields are left alone: a newer service may answer more. */
function parseReceipt(text: string, path: string): Receipt {
  try {
    return fromJson(ReceiptSchema, receiptIn(JSON.parse(text)), { ignoreUnknownFields: true });
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'it is not JSON' : cause instanceof Error ? cause.message : 'unreadable';
    throw new WrongUsage(`${path} is neither a tlog-proof nor a receipt in JSON (${why})`, { cause });
  }
}

/** The receipt itself, or the one inside a response of `ect append`, `ect entry` or `ect issue --level L3`. */
function receiptIn(parsed: JsonValue): JsonValue {
  const isObject = (value: JsonValue): value is JsonObject => typeof value === 'object' && !Array.isArray(value);
  return isObject(parsed) && parsed !== null && parsed['receipt'] !== undefined ? parsed['receipt'] : parsed;
}

function leafBeside(path: string): string {
  return `${path.replace(TLOG_PROOF, '')}.leaf`;
}
