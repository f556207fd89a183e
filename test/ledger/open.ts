// Ledgers over a store in memory, and entries for them.

import {
  type AppendOutcome,
  generateLedgerKey,
  Ledger,
  type LedgerOptions,
  type LedgerStore,
  openLedgerKey,
} from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidateOf } from '../support/candidates.ts';
import { FaultyStore } from '../support/faulty-store.ts';

const KEY = openLedgerKey(generateLedgerKey('ledger.example/ect'));
export const VKEY = KEY.verifierKey;
export const NOW = 1_772_000_000_000;

export function openOver(store: LedgerStore, options: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return Ledger.open({ store, key: KEY, nowMs: () => NOW, ...options });
}

/** A ledger over a memory store that counts and fails on demand. */
export async function freshLedger(options: Partial<LedgerOptions> = {}) {
  const inner = new MemoryLedgerStore();
  const store = new FaultyStore(inner);
  return { inner, store, ledger: await openOver(store, options) };
}

export function appendAll(ledger: Ledger, names: readonly string[]): Promise<readonly AppendOutcome[]> {
  return Promise.all(names.map((name) => ledger.append(candidateOf(name))));
}
