import { describe, expect, test } from 'vitest';
import {
  checkHistory,
  emptyCheckpoint,
  generateLedgerKey,
  type HighWaterMark,
  HistoryLost,
  type KeptCheckpoint,
  Ledger,
  type LedgerStore,
  openCheckpoint,
  openLedgerKey,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf } from '../support/candidates.ts';
import { FaultyStore } from '../support/faulty-store.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
const NOW = 1_772_000_000_000;

/** A mark in memory, which can reject. */
class MemoryMark implements HighWaterMark {
  readonly kept: KeptCheckpoint[] = [];
  isBroken = false;

  read(): readonly KeptCheckpoint[] {
    return this.kept.slice(-1);
  }

  raise(kept: KeptCheckpoint): void {
    if (this.isBroken) throw new Error('the disk failed');
    this.kept.push(kept);
  }

  get size(): number {
    return sizeOf(this.kept.at(-1)!.checkpoint);
  }
}

function sizeOf(checkpoint: string): number {
  const opened = openCheckpoint(checkpoint, KEY.verifierKey);
  if (!opened.ok) throw new Error(opened.fault);
  return opened.size;
}

function openOver(store: LedgerStore, mark: HighWaterMark): Promise<Ledger> {
  return Ledger.open({ store, key: KEY, nowMs: () => NOW, mark });
}

/** A store with so many entries of this name. */
async function storeOf(count: number, name: string): Promise<MemoryLedgerStore> {
  const store = new MemoryLedgerStore();
  const ledger = await Ledger.open({ store, key: KEY, nowMs: () => NOW });
  for (let n = 0; n < count; n++) await ledger.append(candidateOf(`${name} ${n}`));
  return store;
}

describe('the mark is raised before a checkpoint is shown', () => {
  test('L8 by an append, and by a read of what another process appended', async () => {
    const store = new MemoryLedgerStore();
    const [mark, other] = [new MemoryMark(), new MemoryMark()];
    const [writer, reader] = [await openOver(store, mark), await openOver(store, other)];
    expect(mark.size).toBe(0);
    for (let size = 1; size <= 5; size++) {
      const { receipt } = await writer.append(candidateOf(`entry ${size}`));
      expect(receipt?.treeSize).toBe(size);
      expect(mark.size).toBe(size);
      expect(other.size).toBe(size - 1);
      expect((await reader.checkpoint()).size).toBe(size);
      expect(other.size).toBe(size);
    }
  });

  test('L8 where it cannot be, the append is rejected with its outcome open, and nothing above the mark is shown', async () => {
    const mark = new MemoryMark();
    const ledger = await openOver(new MemoryLedgerStore(), mark);
    await ledger.append(candidateOf('a'));
    mark.isBroken = true;
    await expect(ledger.append(candidateOf('b'))).rejects.toThrow('the disk failed');
    await expect(ledger.checkpoint()).rejects.toThrow('the disk failed');
    expect(mark.size).toBe(1);
    mark.isBroken = false;
    expect(await ledger.append(candidateOf('b'))).toMatchObject({ outcome: 'present', record: { index: 1 } });
    expect(mark.size).toBe(2);
  });

  test('L1 L3 an end of the process anywhere between commit, mark and answer leaves a ledger that opens', async () => {
    for (const raised of [false, true]) {
      for (const fault of ['lost', 'landed', 'none'] as const) {
        const inner = new MemoryLedgerStore();
        const store = new FaultyStore(inner);
        const mark = new MemoryMark();
        const ledger = await openOver(store, mark);
        await ledger.append(candidateOf('a'));
        mark.isBroken = !raised;
        store.plan(fault);
        await ledger.append(candidateOf('b')).catch(() => undefined);
        mark.isBroken = false;
        const size = (await inner.head())!.size;
        expect(mark.size).toBeLessThanOrEqual(size);
        expect((await openOver(inner, mark)).size).toBe(size);
        expect(mark.size).toBe(size);
      }
    }
  });
});

describe('a store is compared with the mark', () => {
  const lossOf = async (store: LedgerStore, mark: HighWaterMark) => {
    const error = await openOver(store, mark).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HistoryLost);
    return error as HistoryLost;
  };

  test('L8 L25 all sizes up to 9: a shorter history, none, or another of any size is rejected; the same or a longer one is not', async () => {
    for (let shown = 0; shown <= 9; shown++) {
      const mark = new MemoryMark();
      const whole = await storeOf(shown, 'entry');
      await openOver(whole, mark);
      for (let size = 0; size <= 9; size++) {
        const same = await storeOf(size, 'entry');
        // Salts make each history its own, so only the store itself, extended, is the same one.
        if (shown === 0) {
          expect((await openOver(same, mark)).size).toBe(size);
          mark.kept.splice(1);
          continue;
        }
        const { kind, shown: at, size: found } = await lossOf(same, mark);
        expect(kind).toBe(size < shown ? 'shorter' : 'different');
        expect([at?.size, found]).toEqual([shown, size]);
        expect(mark.kept).toHaveLength(1);
      }
      if (shown > 0) expect((await lossOf(new MemoryLedgerStore(), mark)).kind).toBe('gone');
      const ledger = await openOver(whole, mark);
      await ledger.append(candidateOf('one more'));
      mark.kept.splice(1);
      expect((await openOver(whole, mark)).size).toBe(shown + 1);
    }
  });

  test('L14 a mark of another ledger, or text that is no checkpoint, is rejected', async () => {
    const other = openLedgerKey(generateLedgerKey('ledger.example/ect'));
    for (const kept of [emptyCheckpoint(other), { checkpoint: 'text', recordedAtMs: 0 }]) {
      const mark = new MemoryMark();
      mark.kept.push(kept);
      expect((await lossOf(await storeOf(2, 'entry'), mark)).kind).toBe('foreign mark');
    }
  });

  test('L8 every checkpoint that is kept counts, not the newest alone', async () => {
    const [one, two] = [await storeOf(3, 'entry'), await storeOf(5, 'entry')];
    const kept = await Promise.all([one, two].map(async (store) => (await store.head())!));
    await expect(checkHistory(two, kept, KEY.verifierKey)).rejects.toMatchObject({ kind: 'different' });
    await checkHistory(two, kept.slice(1), KEY.verifierKey);
  });
});
