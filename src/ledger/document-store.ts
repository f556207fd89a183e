// Port: what entries name by a digest, such as the policy that allowed them, kept beside the ledger.

/** Kept once, whole, and never changed. */
export interface LedgerDocument {
  /** 1 to 256 characters. The writer defines what it is a digest of, and the reader checks it. */
  readonly digest: string;
  readonly content: Uint8Array;
}

/**
 * Keeps documents in the store of the ledger. Durability: what `keepDocument` has answered survives a crash of the process and of the
 * machine (the memory adapter excepted). Nothing is deleted. Failures: those of LedgerStore; nothing is tried again here, and a
 * document may be handed in again.
 */
export interface DocumentStore {
  /** One of the same digest that is there already stays as it is. */
  keepDocument(document: LedgerDocument): Promise<void>;
  document(digest: string): Promise<LedgerDocument | undefined>;
  /** The digests of all documents, in order. They are few. */
  documents(): Promise<readonly string[]>;
}
