// Finds the last statement about a key: its own entry, or a later mark that changed the time of its compromise.

import { keyMark, type MarkSet } from '../dag/index.ts';
import { EctError } from '../errors.ts';
import type { AuthorityContext } from './context.ts';
import { demandIntact } from './intact-records.ts';
import { readLeaf } from './leaf.ts';
import { ledgerMarks } from './mark-book.ts';

/** A key with its last statement, the author of that, and the entry. */
interface StatedKey {
  readonly kid: string;
  readonly by: string;
  readonly note: string;
  readonly index: number;
}

/**
 * Keys with their last statements. The mark with the effective time is the last statement if it came after the entry of the key. A
 * damaged mark is ignored, so that administrators can list revoked keys even if a mark cannot be read.
 */
export async function asLastStated<K extends StatedKey>(
  context: AuthorityContext,
  keys: readonly K[],
): Promise<readonly K[]> {
  const marks = await readOr(undefined, () => ledgerMarks(context).current());
  const words = new Map<number, Word | undefined>();
  const stated: K[] = [];
  for (const key of keys) {
    const entry = laterMark(marks, key);
    if (entry === undefined) {
      stated.push(key);
      continue;
    }
    // A root key and those that it certified have one mark.
    if (!words.has(entry)) words.set(entry, await readOr(undefined, () => readWord(context, entry)));
    stated.push({ ...key, ...words.get(entry) });
  }
  return stated;
}

function laterMark(marks: MarkSet | undefined, { kid, index }: StatedKey): number | undefined {
  const entry = marks?.markOf(keyMark(kid))?.entry;
  return entry !== undefined && entry > index ? entry : undefined;
}

type Word = Pick<StatedKey, 'by' | 'note' | 'index'>;

async function readWord({ ledger }: AuthorityContext, entry: number): Promise<Word | undefined> {
  const record = await ledger.at(entry);
  if (record === undefined) return undefined;
  await demandIntact(ledger, [record]);
  const leaf = readLeaf(record);
  return leaf.type === 'taint' ? { by: leaf.iss, note: noteIn(record.content), index: entry } : undefined;
}

/** Author and note of a stored statement; empty if it was erased, or if an older release wrote none. */
function noteIn(content: Uint8Array | null): string {
  if (content === null) return '';
  const { note } = JSON.parse(Buffer.from(content).toString('utf8')) as { readonly note?: unknown };
  return typeof note === 'string' ? note : '';
}

async function readOr<T>(otherwise: T, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof EctError) return otherwise;
    throw error;
  }
}
