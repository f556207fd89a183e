// Events of the ledger.

import { round } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

export function ledgerEvents({ lines, metrics }: EventSink) {
  return {
    /** Entries became durable in one commit. `size` is the size of the tree after it. */
    ledgerCommitted(commit: { readonly entries: number; readonly durationMs: number; readonly size: bigint }): void {
      metrics.ledgerSize.set(Number(commit.size));
      metrics.commitEntries.observe(commit.entries);
      metrics.commitSeconds.observe(commit.durationMs / 1000);
      const { entries, durationMs, size } = commit;
      lines.debug({ event: 'ledger-commit', entries, durationMs: round(durationMs), size: String(size) });
    },

    /** The ledger was opened with this size. */
    ledgerOpened(size: bigint): void {
      metrics.ledgerSize.set(Number(size));
      lines.info({ event: 'ledger-opened', size: String(size) });
    },

    /** The ledger had no high-water mark. One was created. */
    markMade(size: bigint): void {
      const warning =
        'a loss of entries before now cannot be detected: compare the ledger with a checkpoint that was kept elsewhere';
      lines.warn({ event: 'ledger-mark-made', size: String(size), warning });
    },

    /** Pages of the high-water mark are unreadable. The ledger is compared with the readable ones. */
    markDamaged(pages: number): void {
      const warning =
        'the mark was read from other pages, which may be older: this is expected after a crash of the machine; otherwise ' +
        'check the disk, and compare the ledger with a checkpoint that was kept elsewhere';
      lines.warn({ event: 'ledger-mark-damaged', pages, warning });
    },

    /** A ledger with entries had no `once.db`. One was created. */
    usesForgotten(): void {
      const warning = 'tokens that were used before now are accepted once more until they expire';
      lines.warn({ event: 'uses-forgotten', warning });
    },

    /** The scrub examined this many entries. */
    ledgerScrubbed(entries: number): void {
      metrics.scrubbedEntries.inc(entries);
    },

    /** The newest entries of the ledger were examined before the service accepts calls. */
    ledgerChecked({ examined, size }: { readonly examined: number; readonly size: number }): void {
      lines.info({ event: 'ledger-checked', examined, size });
    },
  };
}
