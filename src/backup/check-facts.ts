// Checks that the ledger in a backup is the one that its manifest describes, so that a restore reports what it restored.

import { type DataDir, readLedgerKey } from '../data-directory/data-dir.ts';
import { EctError } from '../errors.ts';
import { HistoryLost, type LedgerKey, openCheckpoint, openMark } from '../ledger/index.ts';
import { MarkFile } from '../stores/mark-file.ts';
import { SqliteLedgerStore } from '../stores/sqlite/index.ts';
import { damaged, type Manifest } from './manifest.ts';
import { LEDGER, LEDGER_KEY, MANIFEST, MARK } from './names.ts';

/**
 * Returns the key of the ledger in `stage`, which contains the files of `backup`. Throws if key, ledger, mark and manifest contradict
 * each other.
 */
export async function checkFacts(backup: string, stage: DataDir, stated: Manifest['ledger']): Promise<LedgerKey> {
  const key = await readLedgerKey(stage).catch(() => undefined);
  if (key === undefined) throw damaged(backup, LEDGER_KEY, 'it holds no key of a ledger');
  const { origin, verifierKey } = key;
  const head = await headIn(backup, stage, verifierKey);
  const [mark] = readMark(backup, stage, verifierKey);
  if (mark?.size !== head.size || base64(mark.root) !== head.rootHash) {
    throw damaged(backup, MARK, 'it is not of this ledger as it is here');
  }
  const noted = openCheckpoint(stated.checkpoint, verifierKey);
  const actual: Readonly<Record<string, readonly [stated: unknown, actual: unknown]>> = {
    origin: [stated.origin, origin],
    'verifier key': [stated.verifierKey, verifierKey],
    size: [stated.size, head.size],
    root: [stated.rootHash, head.rootHash],
    'time of the newest entry': [stated.newestEntryAt, head.newestEntryAt],
    checkpoint: [noted.ok && `${noted.size} ${base64(noted.root)}`, `${head.size} ${head.rootHash}`],
  };
  const wrong = Object.entries(actual).find(([, [said, is]]) => said !== is);
  if (wrong !== undefined) throw damaged(backup, MANIFEST, `the ledger has another ${wrong[0]}`);
  return key;
}

/** Returns the signed head of the ledger. */
async function headIn(backup: string, stage: DataDir, verifierKey: string) {
  let store: SqliteLedgerStore | undefined;
  try {
    store = SqliteLedgerStore.openReadOnly(stage.ledger, true);
    const head = await store.head();
    const signed = openCheckpoint(head?.checkpoint ?? '', verifierKey);
    if (head === undefined || !signed.ok || (await store.identity()) !== verifierKey) {
      throw damaged(backup, LEDGER, `it is not of ${LEDGER_KEY}`);
    }
    const newestEntryAt = new Date(head.recordedAtMs).toISOString();
    return { size: signed.size, rootHash: base64(signed.root), newestEntryAt };
  } catch (error) {
    if (error instanceof EctError && error.reason === 'LEDGER_CORRUPT') throw damaged(backup, LEDGER, error.message);
    throw error;
  } finally {
    await store?.close();
  }
}

/** Newest first. */
function readMark(backup: string, stage: DataDir, verifierKey: string) {
  try {
    return openMark(MarkFile.read(stage.mark), verifierKey);
  } catch (error) {
    if (!(error instanceof HistoryLost)) throw error;
    throw damaged(backup, MARK, `it is a ${error.kind}`);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
