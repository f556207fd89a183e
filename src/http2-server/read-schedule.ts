// The port to a scheduler that shares the event loop among connections.

/** Determines when received bytes may be parsed. */
export interface ReadSchedule {
  /** Whether a slice may start now. */
  begin(): boolean;
  /** Whether the current slice may continue. Called between frames. */
  readonly mayContinue: boolean;
  /** Ends the slice. */
  end(): void;
  /** Continues in a later turn of the event loop. */
  defer(goOn: () => void): void;
}

/** Parses everything when it is read. */
export const READ_AT_ONCE: ReadSchedule = {
  begin: () => true,
  mayContinue: true,
  end: () => undefined,
  defer: (goOn) => setImmediate(goOn),
};
