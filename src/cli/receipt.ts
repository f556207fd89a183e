// Receipts as files: written after an append, and verified later without a service.

import { writeFile } from 'node:fs/promises';
import { fromJson, type JsonObject, type JsonValue, toJsonString } from '@bufbuild/protobuf';
import { InvalidArgumentError, Option } from 'commander';
import { fileFault } from '../files/system-faults.ts';
import { type Receipt, ReceiptSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type TlogProof, verifyReceipt, writeTlogProof } from '../ledger/index.ts';
import { placeLine } from './describe.ts';
import { EXIT, Rejected, WrongUsage } from './exit.ts';
import { type Io, type OutputOptions, paint, plain, print, printFailure, printJson } from './output.ts';
import { readBytes } from './values.ts';
import { readVerifierKey } from './verifier-key.ts';

const TLOG_PROOF = /\.tlog-proof$/;

/** Returns `--receipt-out`. The name selects the format, so a name that selects none is rejected before anything is recorded. */
export function receiptOutOption(): Option {
  const help = 'keep the receipt: NAME.tlog-proof (and NAME.leaf beside it), or NAME.json';
  return new Option('--receipt-out <file>', help).argParser((path: string) => {
    if (TLOG_PROOF.test(path) || path.endsWith('.json')) return path;
    throw new InvalidArgumentError('Its name ends in .tlog-proof (C2SP, with the leaf beside it) or in .json.');
  });
}

/**
 * Writes a receipt and returns a line for each file. NAME.tlog-proof contains the proof, which any C2SP tool can verify, and NAME.leaf
 * contains the leaf. NAME.json contains both.
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
  return files.map(([name]) => `${name === path ? 'receipt' : 'leaf'}: ${name}`);
}

/** Returns the proof of a receipt, in either format; undefined if there is none. It has not been verified. */
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

/** Returns the position of the entry according to the receipt; empty if only the verified proof contains it. */
export function receiptLine({ proof }: Receipt): string {
  if (proof.case !== 'inclusion') return '';
  return placeLine(proof.value.leafIndex ?? 0n, proof.value.treeSize);
}

/** What to verify, as given on the command line. */
export interface OfflineClaim {
  readonly token: string;
  /** A file. */
  readonly receipt: string;
  /** A file, for a tlog-proof. Undefined: the leaf is beside the receipt. */
  readonly leaf: string | undefined;
  /** The key itself or `@file`. */
  readonly ledgerKey: string;
}

/** Verifies that the ledger with this key has recorded exactly this token, and prints the result. */
export async function verifyOffline(io: Io, options: OutputOptions, claim: OfflineClaim): Promise<void> {
  const { leaf, tlogProof } = await readReceipt(io, claim);
  const verifierKey = await readVerifierKey(io, claim.ledgerKey);
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

/** Unknown fields are ignored: a newer service may send more. */
function parseReceipt(text: string, path: string): Receipt {
  try {
    return fromJson(ReceiptSchema, receiptIn(JSON.parse(text)), { ignoreUnknownFields: true });
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'it is not JSON' : cause instanceof Error ? cause.message : 'unreadable';
    throw new WrongUsage(`${path} is neither a tlog-proof nor a receipt in JSON (${why})`, { cause });
  }
}

/** Returns the receipt: the object itself, or the one inside a response of `ect append`, `ect entry` or `ect issue --level L3`. */
function receiptIn(parsed: JsonValue): JsonValue {
  const isObject = (value: JsonValue): value is JsonObject => typeof value === 'object' && !Array.isArray(value);
  return isObject(parsed) && parsed !== null && parsed['receipt'] !== undefined ? parsed['receipt'] : parsed;
}

function leafBeside(path: string): string {
  return `${path.replace(TLOG_PROOF, '')}.leaf`;
}
