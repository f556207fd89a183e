// Opens root keys concurrently with the turns of the key manager. A remote signer may not respond, so a turn waits for it only
// briefly and continues without it; a failed attempt is repeated after growing pauses.

import { EctError, reject } from '../errors.ts';
import type { OpenSigner } from '../keys/index.ts';

/** How long a turn waits for an attempt that it started. Reads of the ledger, and with them revocations, must not be delayed. */
const MAX_WAIT_MS = 250;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

export interface KeyOpenerOptions {
  /** A monotonic clock. */
  readonly steadyMs: () => number;
  /** Called for each failed attempt. */
  readonly onFailed: (cause: unknown) => void;
  /** Called for a key that was opened after the turn had stopped waiting for it. */
  readonly onLate: () => void;
}

interface Opening {
  /** The running attempt; it never rejects. */
  attempt: Promise<void> | undefined;
  signer: OpenSigner | undefined;
  failure: unknown;
  failures: number;
  retryAtMs: number;
}

/** Attempts by name: one at a time for each. */
export class KeyOpener {
  readonly #options: KeyOpenerOptions;
  readonly #openings = new Map<string, Opening>();
  #isClosed = false;

  constructor(options: KeyOpenerOptions) {
    this.#options = options;
  }

  /** Takes over an attempt that was started elsewhere, or that has failed already. */
  follow(name: string, attempt: () => Promise<OpenSigner>): void {
    this.#run(this.#find(name), attempt);
  }

  /**
   * The signer after it was opened. Starts an attempt if one is due, and waits for it briefly; `now`: at once, and until it ends.
   * Undefined if it is not open.
   */
  async take(name: string, open: () => Promise<OpenSigner>, now = false): Promise<OpenSigner | undefined> {
    const opening = this.#find(name);
    const isUnderWay = opening.attempt !== undefined;
    const isDue = now || this.#options.steadyMs() >= opening.retryAtMs;
    if (opening.signer === undefined && !isUnderWay && isDue) this.#run(opening, open);
    if (opening.attempt !== undefined) {
      if (now) await opening.attempt;
      else if (!isUnderWay) await atMost(MAX_WAIT_MS, opening.attempt);
    }
    return opening.signer;
  }

  /** Why the last attempt failed. */
  failureOf(name: string): unknown {
    return this.#openings.get(name)?.failure;
  }

  /** The user of a signer closes it; an unused one is closed here. */
  forget(name: string, isTaken: boolean): void {
    const opening = this.#openings.get(name);
    this.#openings.delete(name);
    if (!isTaken) opening?.signer?.close();
  }

  close(): void {
    this.#isClosed = true;
    for (const name of this.#openings.keys()) this.forget(name, false);
  }

  #find(name: string): Opening {
    const known = this.#openings.get(name);
    if (known !== undefined) return known;
    const opening = { attempt: undefined, signer: undefined, failure: undefined, failures: 0, retryAtMs: 0 };
    this.#openings.set(name, opening);
    return opening;
  }

  #run(opening: Opening, open: () => Promise<OpenSigner>): void {
    const beganMs = this.#options.steadyMs();
    opening.attempt = inOurWords(open).then(
      (signer) => {
        opening.attempt = undefined;
        if (this.#isClosed) return signer.close();
        opening.signer = signer;
        opening.failure = undefined;
        opening.failures = 0;
        if (this.#options.steadyMs() - beganMs >= MAX_WAIT_MS) this.#options.onLate();
      },
      (cause: unknown) => {
        opening.attempt = undefined;
        if (this.#isClosed) return;
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** opening.failures++, LONGEST_PAUSE_MS);
        // Random, so that processes that started together do not retry at the same time.
        opening.retryAtMs = this.#options.steadyMs() + pauseMs * (0.5 + 0.5 * Math.random());
        opening.failure = cause;
        this.#options.onFailed(cause);
      },
    );
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** An attempt to open a key, which rejects with EctError. */
export async function inOurWords(open: () => Promise<OpenSigner>): Promise<OpenSigner> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof EctError) throw cause;
    // The message of the adapter is for the operator; the reason is for the caller.
    const inner = cause instanceof Error ? cause.cause : undefined;
    if (inner instanceof EctError) throw new EctError(inner.rejection, { cause });
    throw new EctError(reject('SIGNER_MISCONFIGURED', 'The key cannot be opened.'), { cause });
  }
}
