// Port: the keys that sign here, as far as a compromise concerns them.

export interface OwnKeys {
  /** Whether a token in the name of `iss` verifies under keys of ours. */
  speakFor(iss: string): boolean;
  /**
   * Ends a key of ours, compromised since a time (milliseconds). Durable when it returns. False where nothing had to be done: the key
   * is none of ours, or has ended so before. Failures: those of the ledger.
   */
  revokeOwn(
    key: {
      readonly kid: string;
      readonly by: string;
      readonly note: string;
      readonly provenance?: Uint8Array | undefined;
    },
    sinceMs: number,
  ): Promise<boolean>;
}
