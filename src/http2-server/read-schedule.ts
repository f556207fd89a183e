// Several connections share the event loop: a schedule says which of them may parse what it read.

/** When bytes that were read may be parsed, so that connections share the event loop. */
export interface ReadSchedule {
  /** Whether a slice of it may begin now. */
  begin(): boolean;
  /** Whether the slice that has begun may go on. Asked between frames. */
  readonly goesOn: boolean;
  /** The slice is over. */
  end(): void;
  /** Goes on in a later turn of the event loop. */
  defer(goOn: () => void): void;
}

/** Everything that was read is parsed at once. */
export const READ_AT_ONCE: ReadSchedule = {
  begin: () => true,
  goesOn: true,
  end: () => undefined,
  defer: (goOn) => setImmediate(goOn),
};
