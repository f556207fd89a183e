// What a ledger makes of a store that is not as it left it.

import { describe, expect, test } from 'vitest';
import {
  generateLedgerKey,
  type Head,
  Ledger,
  type LedgerRecord,
  type LedgerStore,
  openLedgerKey,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf, candidatesOf } from '../support/candidates.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
const OPTIONS = { key: KEY, nowMs: () => 1_772_000_000_000 };

/** A store with `size` entries. */
async function storeOf(size: number, options = OPTIONS): Promise<MemoryLedgerStore> {
  const store = new MemoryLedgerStore();
  const ledger = await Ledger.open({ store, ...options });
  await Promise.all(candidatesOf(size).map((candidate) => ledger.append(candidate)));
  return store;
}

/** Opens a store of 5 entries after a hand has been laid on it. */
async function openAfter(tamper: (store: MemoryLedgerStore, head: Head) => void | Promise<void>): Promise<Ledger> {
  const store = await storeOf(5);
  await tamper(store, (await store.head()) as Head);
  return Ledger.open({ store, ...OPTIONS });
}

function answerHead(store: LedgerStore, head: Head): void {
  store.head = async () => head;
}

function answerRecord(store: LedgerStore, index: number, change: Partial<LedgerRecord>): void {
  const at = store.at.bind(store);
  store.at = async (asked) => {
    const record = await at(asked);
    return record !== undefined && asked === index ? { ...record, ...change } : record;
  };
}

function flip(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte, position) => (position === 0 ? byte ^ 1 : byte));
}

function corruptBecause(message: RegExp) {
  return { reason: 'LEDGER_CORRUPT', message: expect.stringMatching(message) };
}

describe('opening rejects a store', () => {
  test('that is as it should be: never', async () => {
    expect((await openAfter(() => {})).size).toBe(5);
  });

  test('L14 of another key, and of another name', async () => {
    for (const origin of ['ledger.example/ect', 'other.example']) {
      const other = openLedgerKey(generateLedgerKey(origin));
      const opening = Ledger.open({ ...OPTIONS, store: await storeOf(5), key: other });
      await expect(opening).rejects.toMatchObject(corruptBecause(/not signed by this ledger key/));
    }
  });

  test('L7 whose identity is damaged is not reported as the ledger of another key', async () => {
    const opening = openAfter((store) => {
      store.identity = async () => KEY.verifierKey.slice(0, -1);
    });
    await expect(opening).rejects.toMatchObject(corruptBecause(/stored identity of the ledger is damaged/));
  });

  test('L14 whose identity says another key than its head', async () => {
    const opening = openAfter((store) => {
      store.identity = async () => openLedgerKey(generateLedgerKey('other')).verifierKey;
    });
    await expect(opening).rejects.toMatchObject(corruptBecause(/another key/));
  });

  test('L7 whose checkpoint was changed', async () => {
    const opening = openAfter((store, head) =>
      answerHead(store, { ...head, checkpoint: head.checkpoint.replace('\n5\n', '\n6\n') }),
    );
    await expect(opening).rejects.toMatchObject(corruptBecause(/signature of the checkpoint/));
  });

  test('L7 whose frontier does not lead to the signed root', async () => {
    const bent = openAfter((store, head) => answerHead(store, { ...head, frontier: head.frontier.map(flip) }));
    await expect(bent).rejects.toMatchObject(corruptBecause(/does not lead to the root/));
    const short = openAfter((store, head) => answerHead(store, { ...head, frontier: head.frontier.slice(1) }));
    await expect(short).rejects.toMatchObject(corruptBecause(/does not fit the size/));
  });

  test('L7 whose size is not the signed one', async () => {
    // 6 leaves have as many perfect subtrees as 5.
    const opening = openAfter((store, head) => answerHead(store, { ...head, size: 6 }));
    await expect(opening).rejects.toMatchObject(corruptBecause(/does not lead to the root/));
  });

  test('L7 whose nodes are not those of the frontier', async () => {
    const opening = openAfter((store) => {
      const nodes = store.nodes.bind(store);
      store.nodes = async (wanted) => (await nodes(wanted)).map(flip);
    });
    await expect(opening).rejects.toMatchObject(corruptBecause(/not what the stored nodes say/));
  });

  test('L8 whose newest entry is gone, is another one, or has followers that the head does not know', async () => {
    const gone = openAfter((store) => {
      store.at = async () => undefined;
    });
    await expect(gone).rejects.toMatchObject(corruptBecause(/newest entry/));
    const other = openAfter((store) => answerRecord(store, 4, { recordedAtMs: 0 }));
    await expect(other).rejects.toMatchObject(corruptBecause(/newest entry/));
    const edited = openAfter((store) => answerRecord(store, 4, { leaf: Buffer.from('edited') }));
    await expect(edited).rejects.toMatchObject(corruptBecause(/newest entry/));
    const store = await storeOf(4);
    const old = (await store.head()) as Head;
    await (await Ledger.open({ store, ...OPTIONS })).append(candidateOf('one more'));
    answerHead(store, old);
    const more = Ledger.open({ store, ...OPTIONS });
    await expect(more).rejects.toMatchObject(corruptBecause(/beyond its head/));
  });
});

describe('a running ledger', () => {
  test('L8 rejects to sign and to state anything over a store that was rolled back', async () => {
    const store = new MemoryLedgerStore();
    const ledger = await Ledger.open({ store, ...OPTIONS });
    await ledger.append(candidateOf('a'));
    const before = (await store.head()) as Head;
    await ledger.append(candidateOf('b'));
    answerHead(store, before);
    await expect(ledger.checkpoint()).rejects.toMatchObject(corruptBecause(/went back from 2 entries to 1/));
    store.commit = async (candidates, seal) => {
      seal(before, candidates);
      throw new Error('the seal must have rejected');
    };
    await expect(ledger.append(candidateOf('c'))).rejects.toMatchObject(
      corruptBecause(/went back from 2 entries to 1/),
    );
  });

  test('L8 rejects a store that holds another tree of the same size', async () => {
    const store = await storeOf(3);
    const ledger = await Ledger.open({ store, ...OPTIONS });
    answerHead(store, (await (await storeOf(3)).head()) as Head);
    await expect(ledger.checkpoint()).rejects.toMatchObject(corruptBecause(/another tree of 3 entries/));
  });

  test('L13 rejects a store whose head was dated back', async () => {
    const store = await storeOf(3);
    const ledger = await Ledger.open({ store, ...OPTIONS });
    answerHead(store, { ...((await store.head()) as Head), recordedAtMs: 1 });
    await expect(ledger.checkpoint()).rejects.toMatchObject(corruptBecause(/time in the head went back/));
  });

  test('rejects a store whose head is gone', async () => {
    const store = await storeOf(3);
    const ledger = await Ledger.open({ store, ...OPTIONS });
    store.head = async () => undefined;
    await expect(ledger.checkpoint()).rejects.toMatchObject(corruptBecause(/head is gone/));
  });

  test('L7 a damaged entry is blamed for itself, and not another one whose proof takes its nodes', async () => {
    const store = await storeOf(2);
    const ledger = await Ledger.open({ store, ...OPTIONS });
    const [first, second] = (await ledger.list({ startIndex: 0, limit: 2, withContent: true })) as LedgerRecord[];
    const nodes = store.nodes.bind(store);
    store.nodes = async (wanted) =>
      (await nodes(wanted)).map((hash, place) => (wanted[place]?.index === 1 ? flip(hash) : hash));
    await expect(ledger.receiptFor(first!)).rejects.toMatchObject(
      corruptBecause(/of other entries do not prove entry 0/),
    );
    const changed = { ...second!, leaf: Buffer.from('edited') };
    await expect(ledger.receiptFor(changed)).rejects.toMatchObject(corruptBecause(/Entry 1 is not what/));
  });

  test('L7 gives no receipt for an entry, and no proof over nodes, that were changed', async () => {
    const store = await storeOf(5);
    const ledger = await Ledger.open({ store, ...OPTIONS });
    const record = (await ledger.at(2)) as LedgerRecord;
    for (const change of [
      { leaf: Buffer.from('edited') },
      { content: Buffer.from('edited') },
      { salt: Buffer.alloc(32) },
      { index: 1 },
      { index: 5 },
    ]) {
      const receipt = ledger.receiptFor({ ...record, ...change });
      await expect(receipt).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
    }
    expect((await ledger.receiptFor({ ...record, content: null, salt: null })).salt).toBeNull();
    const nodes = store.nodes.bind(store);
    store.nodes = async (wanted) => (await nodes(wanted)).map(flip);
    await expect(ledger.inclusionProof(2)).rejects.toMatchObject(corruptBecause(/do not prove entry 2/));
    await expect(ledger.inclusionProof(2, 4)).rejects.toMatchObject(corruptBecause(/do not prove entry 2/));
    await expect(ledger.consistencyProof(2)).rejects.toMatchObject(corruptBecause(/do not prove the tree of 2/));
    await expect(ledger.consistencyProof(3, 4)).rejects.toMatchObject(corruptBecause(/do not prove the tree of 3/));
  });
});
