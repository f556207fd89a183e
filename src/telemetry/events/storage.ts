// Events of the files of the stores, and of their disk.

import { cleanText, describeCause } from '../event-lines.ts';
import type { EventSink } from './sink.ts';

/** The free space of the disk and the reserve, in bytes; and whether callers may cause writes. */
export interface StorageSpace {
  readonly free: number;
  readonly floor: number;
  readonly hasRoom: boolean;
}

export function storageEvents({ lines, metrics, flushNow }: EventSink) {
  return {
    /** The free space was measured. `changed`: writes for callers became possible, or impossible. */
    storageMeasured(space: StorageSpace, changed: boolean): void {
      const { free, floor, hasRoom } = space;
      metrics.storageFree.set(free);
      metrics.storageFloor.set(floor);
      if (!changed) return;
      const line = { freeBytes: free, floorBytes: Math.round(floor) };
      if (hasRoom) lines.info({ event: 'storage-recovered', ...line });
      else
        lines.error({ event: 'storage-low', ...line, warning: 'nothing is written for callers until there is space' });
    },

    /** A file of the data directory was deleted or replaced, so nothing is recorded; undefined: all files are in place again. */
    storageReplaced(file: string | undefined): void {
      metrics.storageReplaced.set(file === undefined ? 0 : 1);
      if (file === undefined) lines.info({ event: 'storage-in-place' });
      else {
        const warning =
          'nothing is recorded: put the files back, or export what the service still serves and restart it';
        lines.error({ event: 'storage-replaced', file, warning });
      }
      flushNow();
    },

    /** The disk failed for a file: in a statement, a sync, a checkpoint of the write-ahead log, or the scrub. */
    storageFailed(file: string, stage: string, cause: unknown, isNews: boolean): void {
      metrics.storageFailures.inc({ file, stage });
      if (!isNews) return;
      lines.error({ event: 'storage-failed', file, stage, cause: describeCause(cause) });
      flushNow();
    },

    /** All files can be written again. */
    storageWritable(): void {
      lines.info({ event: 'storage-writable' });
    },

    /** Only a new process can write to the file again. */
    storageLost(file: string): void {
      lines.error({
        event: 'storage-lost',
        file,
        warning: 'the process exits, so that its successor opens the file again',
      });
      flushNow();
    },

    /** A file is damaged: nothing is written to it from now on. */
    storageDamaged(file: string, { index, fault }: { readonly index: number | null; readonly fault: string }): void {
      metrics.storageDamaged.set({ file }, 1);
      const where = index === null ? {} : { index };
      lines.error({
        event: 'storage-damaged',
        file,
        ...where,
        fault: cleanText(fault),
        warning: 'nothing is written to it any more',
      });
      flushNow();
    },

    /** A complete scrub found no more damage in the file: it is written again. */
    storageSound(file: string): void {
      metrics.storageDamaged.set({ file }, 0);
      lines.info({ event: 'storage-sound', file });
    },

    /** A complete scrub of a file has ended. */
    storageScrubbed(file: string, entries: number, isSound: boolean): void {
      if (isSound) metrics.scrubPassed.set({ file }, Math.floor(Date.now() / 1000));
      lines.debug({ event: 'storage-scrubbed', file, entries, sound: isSound });
    },
  };
}
