// Audits a running service. Its entries are listed in large pages; the next page is fetched while one is checked. What the service says
// is trusted only if it follows from the leaves and the signed checkpoint.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  digestOfMark,
  LOSS_SCOPE,
  type LossLeaf,
  MARK_SCOPE,
  type MarkLeaf,
  nameOf,
  nameOfLoss,
  nameOfMark,
  recordFault,
} from '../authority/index.ts';
import type { Entry } from '../gen/ect/v1/ledger_pb.ts';
import type { TaskName } from '../gen/ect/v1/token_pb.ts';
import { KEY_SCOPE, type KeyLeaf, keyEntryName } from '../key-manager/index.ts';
import { type AuditEnd, type AuditFault, type LedgerRecord, verifyReceipt } from '../ledger/index.ts';
import { digestOfToken } from '../token/index.ts';
import type { AuditSource } from './audit-source.ts';
import type { Service } from './client.ts';
import { authorOf, contentOf } from './entry-rows.ts';
import { knownDamage } from './known-damage.ts';
import { listAroundDamage } from './list-around-damage.ts';
import { proofOf } from './receipt.ts';
import { indexOf } from './walk-entries.ts';

/** How many receipts are fetched at the same time. */
const FETCHED_AT_ONCE = 16;

const SAID_BY_SERVICE = 'the service itself finds it damaged';

type LedgerClient = Service['ledger'];

/** Prepares the audit of a service. */
export async function auditService(
  service: Service,
  trustedKey: string | undefined,
  from: AuditEnd,
): Promise<AuditSource> {
  const { ledger, keys } = service;
  // Read the key set before the checkpoint: the ledger must have announced every key that is already published.
  const keySet = { text: (await keys.getKeySet({})).jwksJson, readAtMs: Date.now() };
  const { checkpoint, treeSize = 0n, verifierKey } = await ledger.getCheckpoint({});
  const faults: AuditFault[] = [];
  const start = BigInt(from.size);
  const records = readRecords(ledger, from, treeSize, faults);
  const locate = () => locateFaults(ledger, start, treeSize, trustedKey ?? verifierKey);
  const known = () => knownDamage(service);
  return { checkpoint, ownKey: verifierKey, records, faults, keySet, locate, knownDamage: known };
}

async function* readRecords(
  ledger: LedgerClient,
  from: AuditEnd,
  size: bigint,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  let { recordedAtMs } = from;
  for await (const { index, entry, isDamaged } of listAroundDamage(ledger, BigInt(from.size), size, true)) {
    const record = entry === undefined ? lostRecord(Number(index), recordedAtMs) : recordOf(entry);
    const fault = isDamaged ? SAID_BY_SERVICE : recordFault(record);
    if (fault !== undefined) faults.push({ index: record.index, fault });
    ({ recordedAtMs } = record);
    yield record;
  }
}

/** A placeholder for an entry that the service does not return. Its leaf leads to a wrong root, as that of a changed entry does. */
function lostRecord(index: number, recordedAtMs: number): LedgerRecord {
  const nothing = new Uint8Array(0);
  const place = { index, scope: '', name: `damaged entry ${index}`, author: '', recordedAtMs };
  return { ...place, digest: nothing, leaf: nothing, salt: null, content: null, provenance: null };
}

function recordOf(entry: Entry): LedgerRecord {
  const bare = {
    index: Number(indexOf(entry)),
    ...placeOf(entry),
    author: authorOf(entry),
    digest: new Uint8Array(32),
    recordedAtMs: entry.recordedAt === undefined ? 0 : timestampMs(entry.recordedAt),
    leaf: entry.leaf,
    salt: null,
    content: null,
    provenance: null,
  };
  return { ...bare, ...committedIn(entry) };
}

/** Compares the receipt of each entry with its leaf. It needs one call for each entry, so it runs only if the root is wrong. */
async function locateFaults(
  ledger: LedgerClient,
  start: bigint,
  size: bigint,
  verifierKey: string,
): Promise<readonly AuditFault[]> {
  const faults: AuditFault[] = [];
  let part: Entry[] = [];
  const judge = async () => {
    const found = await Promise.all(part.map((entry) => proofFault(ledger, entry, verifierKey)));
    for (const [nth, fault] of found.entries()) {
      if (fault !== undefined) faults.push({ index: Number(indexOf(part[nth]!)), fault });
    }
    part = [];
  };
  for await (const { entry, isDamaged } of listAroundDamage(ledger, start, size, false)) {
    // Damaged entries have already been reported.
    if (entry === undefined || isDamaged) continue;
    part.push(entry);
    if (part.length === FETCHED_AT_ONCE) await judge();
  }
  await judge();
  return faults;
}

/** Returns what is wrong with the proof of an entry. A service returns DATA_LOSS if its store is damaged. */
async function proofFault(ledger: LedgerClient, entry: Entry, verifierKey: string): Promise<string | undefined> {
  try {
    const { receipt } = await ledger.getEntry({ name: { case: 'index', value: indexOf(entry) } });
    const tlogProof = (receipt && proofOf(receipt)) ?? '';
    const proven = verifyReceipt({ leaf: entry.leaf, tlogProof, verifierKey });
    return proven.ok ? undefined : proven.fault;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.DataLoss) return SAID_BY_SERVICE;
    throw error;
  }
}

/**
 * Returns the scope and name of an entry: those of the task; for a mark those of its subject; for a key its state; for a loss its
 * checkpoint.
 */
function placeOf({ body, leaf }: Entry): Pick<LedgerRecord, 'scope' | 'name'> {
  switch (body.case) {
    case 'key':
      return { scope: KEY_SCOPE, name: nameIn<KeyLeaf>(leaf, keyEntryName) };
    case 'loss':
      return { scope: LOSS_SCOPE, name: nameIn<LossLeaf>(leaf, nameOfLoss) };
    case 'taint': {
      const { subject } = body.value;
      if (subject.case === 'task')
        return { scope: MARK_SCOPE, name: nameOf({ kind: 'task', ...taskIn(subject.value) }) };
      const ofKey = (mark: MarkLeaf) => nameOfMark({ ...mark, kid: subject.value ?? '' });
      return { scope: MARK_SCOPE, name: nameIn(leaf, ofKey) };
    }
    default: {
      const { wid, jti } = taskIn(body.value?.name);
      return { scope: wid, name: jti };
    }
  }
}

function taskIn(name: TaskName | undefined): { readonly wid: string; readonly jti: string } {
  return { wid: name?.wid ?? '', jti: name?.jti ?? '' };
}

/** Empty if the leaf is of another kind, which is reported when the leaf is checked. */
function nameIn<Leaf>(leaf: Uint8Array, nameOfLeaf: (leaf: Leaf) => string): string {
  try {
    return nameOfLeaf(JSON.parse(Buffer.from(leaf).toString('utf8')) as Leaf);
  } catch {
    return '';
  }
}

/** Returns what an entry commits to, if it has not been erased. */
function committedIn(entry: Entry): Partial<LedgerRecord> {
  const text = contentOf(entry);
  if (text === '') return {};
  const isToken = entry.body.case === 'task';
  const content = Buffer.from(text, isToken ? 'latin1' : 'utf8');
  const stated = entry.provenance?.statement ?? new Uint8Array(0);
  return {
    salt: entry.salt,
    content,
    digest: isToken ? digestOfToken(text) : digestOfMark(content),
    // A service returns the provenance of every entry only to administrators.
    provenance: stated.length === 0 ? null : stated,
  };
}
