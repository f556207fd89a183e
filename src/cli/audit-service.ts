// An audit of a running service: its entries are listed page by page, each one's token is fetched, and nothing that the
// service says is believed but for what follows from the leaves and the signed checkpoint.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { digestOfMark, MARK_SCOPE, nameOf } from '../authority/index.ts';
import { KEY_SCOPE, type KeyLeaf, keyEntryName } from '../custody/index.ts';
import { type Entry, EntryKind } from '../gen/ect/v1/ledger_pb.ts';
import { type AuditFault, type LedgerRecord, verifyReceipt } from '../ledger/index.ts';
import { digestOfToken } from '../token/index.ts';
import { type AuditSource, recordFault } from './audit-source.ts';
import type { Service } from './client.ts';

const PAGE_SIZE = 500;
/** Entries that are fetched at the same time. */
const FETCHED_AT_ONCE = 16;

type LedgerClient = Service['ledger'];

/** Prepares the audit of a service. */
export async function auditService({ ledger, keys }: Service, trustedKey: string | undefined): Promise<AuditSource> {
  // Before the checkpoint: whatever is published by now, the ledger must have announced.
  const keySet = { text: (await keys.getKeySet({})).jwksJson, readAtMs: Date.now() };
  const { checkpoint, treeSize, verifierKey } = await ledger.getCheckpoint({});
  const faults: AuditFault[] = [];
  const records = readRecords(ledger, treeSize, trustedKey ?? verifierKey, faults);
  return { checkpoint, ownKey: verifierKey, records, faults, keySet };
}

async function* readRecords(
  ledger: LedgerClient,
  size: bigint,
  verifierKey: string,
  faults: AuditFault[],
): AsyncGenerator<LedgerRecord> {
  for await (const page of listPages(ledger, size)) {
    for (let at = 0; at < page.length; at += FETCHED_AT_ONCE) {
      const part = page.slice(at, at + FETCHED_AT_ONCE);
      for (const { record, fault } of await Promise.all(part.map((entry) => readEntry(ledger, entry, verifierKey)))) {
        if (fault !== undefined) faults.push({ index: record.index, fault });
        yield record;
      }
    }
  }
}

/** Pages of entries below `size`. A service that pages for ever is stopped by the indexes, which must rise. */
async function* listPages(ledger: LedgerClient, size: bigint): AsyncGenerator<readonly Entry[]> {
  let next = 0n;
  let pageToken = '';
  do {
    const answer = await ledger.listEntries({ pageSize: PAGE_SIZE, pageToken });
    const page = answer.entries.filter(({ index }) => index >= next && index < size);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    next = last.index + 1n;
    pageToken = answer.nextPageToken;
  } while (pageToken !== '' && next < size);
}

interface ReadEntry {
  readonly record: LedgerRecord;
  readonly fault: string | undefined;
}

async function readEntry(ledger: LedgerClient, listed: Entry, verifierKey: string): Promise<ReadEntry> {
  const recorded = listed.recordedAt === undefined ? 0 : timestampMs(listed.recordedAt);
  const bare: LedgerRecord = {
    index: Number(listed.index),
    ...placeOf(listed),
    author: listed.iss,
    digest: new Uint8Array(32),
    recordedAtMs: recorded,
    leaf: listed.leaf,
    salt: null,
    content: null,
  };
  const answer = await fetchEntry(ledger, listed.index);
  if (answer === undefined) return { record: bare, fault: 'the service itself finds this entry damaged' };
  const record = { ...bare, ...(answer.entry === undefined ? {} : contentOf(answer.entry)) };
  const tlogProof = answer.receipt?.tlogProof ?? '';
  const proven = verifyReceipt({ leaf: listed.leaf, tlogProof, verifierKey });
  return { record, fault: recordFault(record) ?? (proven.ok ? undefined : proven.fault) };
}

/** Where the ledger keeps an entry: a task under its own name, a mark under that of its subject, a key by its state. */
function placeOf({ kind, jti, wid, kid, leaf }: Entry): Pick<LedgerRecord, 'scope' | 'name'> {
  if (kind === EntryKind.KEY) return { scope: KEY_SCOPE, name: nameInKeyLeaf(leaf) };
  if (kind !== EntryKind.TAINT) return { scope: wid, name: jti };
  return { scope: MARK_SCOPE, name: nameOf(jti === '' ? { kind: 'key', kid } : { kind: 'task', jti, wid }) };
}

/** Empty where the leaf is none about a key: that is found when the leaf is judged. */
function nameInKeyLeaf(leaf: Uint8Array): string {
  try {
    return keyEntryName(JSON.parse(Buffer.from(leaf).toString('utf8')) as KeyLeaf);
  } catch {
    return '';
  }
}

/** What an entry commits to, where it was not erased. */
function contentOf({ kind, token, statement, salt }: Entry): Partial<LedgerRecord> {
  const isStatement = kind === EntryKind.TAINT || kind === EntryKind.KEY;
  const content = isStatement ? Buffer.from(statement, 'utf8') : Buffer.from(token, 'latin1');
  if (content.length === 0) return {};
  return { salt, content, digest: isStatement ? digestOfMark(content) : digestOfToken(token) };
}

/** The entry and its receipt, or undefined where the service refuses because its store is damaged. */
async function fetchEntry(ledger: LedgerClient, index: bigint) {
  try {
    return await ledger.getEntry({ index });
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.DataLoss) return undefined;
    throw error;
  }
}
