// What a store tells of the disk below it, and what it answers about being written.

/** Where the disk failed: in a statement, when what was written was to be synced, or when pages were to be moved. */
export type StorageStage = 'statement' | 'sync' | 'move';

/** Called for failures of the disk. Must not throw. */
export interface StorageWatch {
  /** `file` has no directories: `ledger.db`. */
  failed(file: string, stage: StorageStage, cause: unknown): void;
  /** Whether damage of the file is known. */
  isDamaged(file: string): boolean;
  /** The connection is lost: only a new process can write the file again. */
  lost(file: string): void;
}

/** A store that can say whether it is written, from what its writes came to. */
export interface WritableStore {
  /** Whether the last write, sync and move of pages have succeeded. */
  isWritable(): boolean;
  /** Whether that there was no space is the last that is known. */
  isFull(): boolean;
  /**
   * Finds out: by a write of the last seconds, else by one that changes nothing. After a failure of the disk it first tries to
   * make writing safe again. Throws where the file cannot be written.
   */
  checkWrites(): Promise<void>;
}
