// The description of a backup in two files: `backup.json` for people and tools, and `SHA256SUMS` with the checksums of all other files,
// in the format of coreutils.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readSmallFile } from '../files/bounded-read.ts';
import { fileFault } from '../files/system-faults.ts';
import { CHECKSUMS, MANIFEST, mayHold, REQUIRED, UNFINISHED } from './names.ts';
import { rejection } from './rejections.ts';

export interface Manifest {
  /** Increased when older releases cannot read the backup. */
  readonly format: number;
  /** The release that made the backup. */
  readonly version: string;
  /** When the backup was begun, in RFC 3339. It contains everything that was recorded before. */
  readonly createdAt: string;
  readonly ledger: {
    readonly origin: string;
    readonly verifierKey: string;
    readonly size: number;
    /** Base64. */
    readonly rootHash: string;
    readonly newestEntryAt: string;
    /** The signed note over size and root. */
    readonly checkpoint: string;
  };
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** A manifest that was read, with the SHA-256 of each file in hexadecimal. */
export interface CheckedManifest extends Manifest {
  readonly sha256: ReadonlyMap<string, string>;
}

const FORMAT = 1;
/** Two spaces and no path: the format of `sha256sum` in text mode. */
const LINE = /^([0-9a-f]{64}) {2}([A-Za-z0-9.-]+)$/;

/** Writes both files into `directory`. `names` are the other files in it. */
export async function writeManifest(
  directory: string,
  names: readonly string[],
  facts: Omit<Manifest, 'format' | 'files'>,
): Promise<Manifest> {
  const sizes = names.map(async (name) => ({ name, bytes: (await stat(join(directory, name))).size }));
  const manifest: Manifest = { format: FORMAT, ...facts, files: await Promise.all(sizes) };
  await writeFile(join(directory, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  const lines: string[] = [];
  for (const name of [...names, MANIFEST]) lines.push(`${await sha256Of(join(directory, name))}  ${name}\n`);
  await writeFile(join(directory, CHECKSUMS), lines.join(''), { mode: 0o600, flag: 'wx' });
  return manifest;
}

/** Reads both files of a backup and compares them. The other files are not read; `copyChecked` does that. */
export async function readManifest(directory: string): Promise<CheckedManifest> {
  rejectUnfinished(directory);
  const sha256 = new Map<string, string>();
  const lines = (await read(directory, CHECKSUMS)).toString('latin1').split('\n');
  if (lines.pop() !== '') throw damaged(directory, CHECKSUMS, 'it does not end with a line');
  for (const line of lines) {
    const [, sum = '', name = ''] = LINE.exec(line) ?? [];
    const isNew = (name === MANIFEST || mayHold(name)) && !sha256.has(name);
    if (!isNew) throw damaged(directory, CHECKSUMS, 'a line of it is not what a backup has there');
    sha256.set(name, sum);
  }
  const text = await read(directory, MANIFEST);
  if (createHash('sha256').update(text).digest('hex') !== sha256.get(MANIFEST)) {
    throw damaged(directory, MANIFEST, 'its checksum is another one');
  }
  const manifest = parse(directory, text.toString('utf8'));
  const names = manifest.files.map(({ name }) => name);
  const missing = [...REQUIRED, ...names].find((name) => !sha256.has(name) || !names.includes(name));
  if (missing !== undefined || names.length !== sha256.size - 1) {
    throw damaged(directory, CHECKSUMS, `it and ${MANIFEST} do not list the same files`);
  }
  return { ...manifest, sha256 };
}

/** Rejects a backup that was interrupted: all files may exist without having been verified. */
function rejectUnfinished(directory: string): void {
  if (!existsSync(join(directory, UNFINISHED))) return;
  const message = `${directory} was never finished, so it is not verified.`;
  throw rejection('backup_incomplete', message, 'Name the directory that `ect backup` made, or another backup.');
}

/** Parses the manifest. Checksums are not signatures, so its content is untrusted. */
function parse(directory: string, text: string): Manifest {
  const json = parseObject(text);
  const format = json?.['format'];
  if (json === undefined || typeof format !== 'number') {
    throw damaged(directory, MANIFEST, 'it is not a JSON object with the number of a format');
  }
  if (format !== FORMAT) {
    const message = `The backup ${directory} has format ${format}, and this release reads ${FORMAT}.`;
    const release = typeof json['version'] === 'string' ? `release ${json['version']}` : 'the release';
    throw rejection('backup_damaged', message, `Restore it with ${release}, which made it.`);
  }
  const fault = faultOf(json);
  if (fault !== undefined) throw damaged(directory, MANIFEST, fault);
  return json as unknown as Manifest;
}

type Json = Readonly<Record<string, unknown>>;

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns which member of the manifest is missing or invalid. */
function faultOf({ version, createdAt, ledger, files }: Json): string | undefined {
  if (typeof version !== 'string') return 'it does not say which release made it';
  if (!isTime(createdAt)) return 'it does not say when it was made';
  if (!isObject(ledger)) return 'it says nothing of the ledger';
  const isNamed = ['origin', 'verifierKey', 'rootHash', 'checkpoint'].every((name) => typeof ledger[name] === 'string');
  if (!isNamed || !isCount(ledger['size'])) return 'it does not say which ledger it is of';
  if (!isTime(ledger['newestEntryAt'])) return 'it does not say when the newest entry was recorded';
  const isFile = (file: unknown) => isObject(file) && typeof file['name'] === 'string' && isCount(file['bytes']);
  return Array.isArray(files) && files.every(isFile) ? undefined : 'it does not list its files';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether the value is a time in RFC 3339, as this program writes it. */
function isTime(value: unknown): value is string {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(time) && new Date(time).toISOString() === value;
}

async function read(directory: string, name: string): Promise<Buffer> {
  try {
    return await readSmallFile(join(directory, name));
  } catch (error) {
    const message = `${directory} is no backup, or one that was never finished: ${fileFault(join(directory, name), error)}.`;
    throw rejection('backup_incomplete', message, 'Name the directory that `ect backup` made, or another backup.');
  }
}

export function damaged(directory: string, name: string, how: string): Error {
  const message = `The backup ${directory} is damaged: ${name} is not as it was written (${how}). Nothing was restored.`;
  return rejection('backup_damaged', message, 'Restore another backup, or another copy of this one.');
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
