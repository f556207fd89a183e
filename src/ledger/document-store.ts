// Port: stores what entries name by digest, such as policies, beside the ledger.

/** A document, stored once and never changed. */
export interface LedgerDocument {
  /** 1 to 256 characters. The writer defines the digest, and the reader verifies it. */
  readonly digest: string;
  readonly content: Uint8Array;
}

/**
 * Stores documents with the ledger. Durability: a stored document survives a crash of the process and of the machine (except in the
 * memory adapter). Nothing is deleted. Errors: those of LedgerStore; callers may retry.
 */
export interface DocumentStore {
  /** An existing document with the same digest stays unchanged. */
  keepDocument(document: LedgerDocument): Promise<void>;
  document(digest: string): Promise<LedgerDocument | undefined>;
  /** The digests of all documents, in order. There are few. */
  documents(): Promise<readonly string[]>;
}
