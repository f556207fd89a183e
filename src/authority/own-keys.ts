// Port: the keys of this service, for revocations.

export interface OwnKeys {
  /** Whether keys of this service may verify a token with this `iss`. */
  speakFor(iss: string): boolean;
  /**
   * Revokes a key of this service, compromised since a time (milliseconds). Durable when it returns. False if nothing had to be done: the
   * key is not of this service, or was revoked before. Errors: those of the ledger.
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
