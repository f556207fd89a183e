// What a store reports about its disk, and about whether it can be written.

/** When the disk failed: in a statement, in a sync, or while pages were moved. */
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

/** A store that reports whether it can be written. */
export interface WritableStore {
  /** Whether the last write, sync and move of pages have succeeded. */
  isWritable(): boolean;
  /** Whether the last write found no space. */
  isFull(): boolean;
  /**
   * Checks whether the file can be written: by a write of the last seconds, or else by one that changes nothing. After a failure of the
   * disk it first tries to repair the state. Throws if the file cannot be written.
   */
  checkWrites(): Promise<void>;
}
