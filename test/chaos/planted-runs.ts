// Copies of a good run, and what plants a fault into one.

import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll } from 'vitest';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { openLedgerKey } from '../../src/ledger/index.ts';
import { signParts } from '../support/tokens.ts';
import { check } from './checker.ts';
import type { Line } from './journal.ts';

export const folder = mkdtempSync(join(tmpdir(), 'ect-checker-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A run to change: its journal, line by line, and the file of its ledger. */
export interface Run {
  lines: Line[];
  readonly folder: string;
  readonly ledger: string;
}

let runs = 0;

/** A copy of the good run with something planted, checked. */
export async function checkWith(plant: (run: Run) => void) {
  const copy = join(folder, `run-${runs++}`);
  cpSync(join(folder, 'good'), copy, { recursive: true });
  const run = { lines: linesOf(copy), folder: copy, ledger: join(copy, 'data/ledger.db') };
  plant(run);
  const journal = join(copy, 'journal.jsonl');
  writeFileSync(journal, run.lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return check(journal, run.ledger);
}

function linesOf(run: string): Line[] {
  const text = readFileSync(join(run, 'journal.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** The last line of a kind that is as it should be. */
export function lineOf({ lines }: Run, kind: string, fits: (line: Line) => boolean = () => true): Line {
  const found = lines.findLast((line) => line.kind === kind && fits(line));
  if (found === undefined) throw new Error(`the run has no such line of the kind ${kind}`);
  return found;
}

export function change(run: Run, line: Line, members: object): void {
  run.lines[run.lines.indexOf(line)] = { ...line, ...members };
}

/** Writes into the ledger as somebody does who has the file: nothing guards it any more. */
export function write({ ledger }: Run, sql: string): void {
  const database = new DatabaseSync(ledger);
  try {
    const triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
    database.exec(sql);
  } finally {
    database.close();
  }
}

export const LAST = '(SELECT max(idx) FROM entries)';
export const isValid = (line: Line) => line['valid'] === true && line['request_id'] !== '';
export const hasProof = (line: Line) => typeof line['proof'] === 'string';
export const isSigned = (line: Line) => line['level'] !== 'LEVEL_L1';

const { privateKey: strange } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A good token under a key that nobody announced. */
export function strangeToken(): string {
  const { crv, kty, x, y } = createPublicKey(strange).export({ format: 'jwk' });
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return signParts({ alg: 'ES256', typ: 'exec+jwt', kid }, { jti: 'a' }, strange);
}

/** The same token with another bit in its signature. */
export function forged(token: string): string {
  const at = token.lastIndexOf('.') + 5;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

/** A base64 text with another byte in the middle. */
export function flipped(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  return bytes.toString('base64');
}

export function flippedHash(line: Line): object {
  const [first = '', ...others] = line['hashes'] as readonly string[];
  return { hashes: [flipped(first), ...others] };
}

export const hasHashes = (line: Line) => (line['hashes'] as readonly string[]).length > 0;

/** The receipt with another first hash of its path. */
export function flippedProof(line: Line): object {
  const lines = String(line['proof']).split('\n');
  const at = lines.findIndex((text) => text.startsWith('index ')) + 1;
  lines[at] = flipped(lines[at]!);
  return { proof: lines.join('\n') };
}

export function forkedCheckpoint(run: Run): Line {
  const { checkpoint } = lineOf(run, 'checkpoint') as unknown as { readonly checkpoint: string };
  const key = openLedgerKey(readFileSync(join(run.folder, 'data/ledger.key'), 'utf8').trim());
  const size = Number(checkpoint.split('\n')[1]);
  return { kind: 'checkpoint', checkpoint: signCheckpoint(key, { size, root: Buffer.alloc(32, 7) }) };
}
