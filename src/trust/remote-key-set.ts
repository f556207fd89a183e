// The keys of one issuer, updated in the background. Verification uses the cached keys and never waits.

import type { ForeignKey, KeySetContent } from './key-set.ts';

export interface KeySetTimes {
  /** From one look to the next, while all is well. */
  readonly refreshMs: number;
  /** Between two fetches at least, whatever asks for them. */
  readonly cooldownMs: number;
  /** For how long the last good set counts while no other can be fetched. */
  readonly maxStaleMs: number;
}

/** Called for what became of a fetch. */
export interface KeySetEvents {
  /** A set was taken. `isNews`: its keys, or what is wrong with some of them, differ from before, or fetches had failed. */
  taken(content: KeySetContent, isNews: boolean): void;
  /** None was. The last good one counts until it is too old. `isNews`: the fetch before did not fail in this way. */
  failed(why: string, isNews: boolean): void;
  /** The last good set became too old: there are no keys any more. */
  expired(): void;
}

export interface KeySetPorts {
  /** Fetches the set. It is bounded by itself, and ends when the signal is aborted. */
  readonly load: (signal: AbortSignal) => Promise<KeySetContent>;
  /** Steady time in milliseconds: no clock that can be set. */
  readonly nowMs: () => number;
  readonly events: KeySetEvents;
}

/** The result of a request for unknown keys. `loading`: a fetch is in progress. `cooling`: the last one is too recent. */
export type Wanted = { readonly state: 'loading' } | { readonly state: 'cooling'; readonly forMs: number };

const NO_KEYS: ReadonlyMap<string, ForeignKey> = new Map();

export class RemoteKeySet {
  readonly #times: KeySetTimes;
  readonly #ports: KeySetPorts;
  readonly #stopped = new AbortController();
  #keys = NO_KEYS;
  #takenMs: number | undefined;
  #begunMs = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;
  /** What was said last: of keys that are not used, or why there is no set. */
  #said: string | undefined;

  /** `before`: a set of the same source, under other times. Its keys count until the first fetch. */
  constructor(times: KeySetTimes, ports: KeySetPorts, before?: RemoteKeySet) {
    this.#times = times;
    this.#ports = ports;
    if (before === undefined) return;
    this.#keys = before.#keys;
    this.#takenMs = before.#takenMs;
  }

  /** The keys that count now. Empty: nothing can be said about any token of this issuer. */
  get keys(): ReadonlyMap<string, ForeignKey> {
    return this.#isExpired() ? NO_KEYS : this.#keys;
  }

  /** Fetches if it is time to. To be called every second or so. */
  look(): void {
    if (this.#keys.size > 0 && this.#isExpired()) {
      this.#keys = NO_KEYS;
      this.#ports.events.expired();
    }
    const { refreshMs, cooldownMs } = this.#times;
    // After a failure as soon as it may.
    const period = this.#takenMs === this.#begunMs ? refreshMs : Math.min(refreshMs, cooldownMs);
    if (this.#sinceBegun() >= period) this.#begin();
  }

  /** A token has an unknown key. The only effect of a token is one fetch, and the next after the cooldown. */
  want(): Wanted {
    const leftMs = this.#times.cooldownMs - this.#sinceBegun();
    if (leftMs <= 0) this.#begin();
    return this.#loading === undefined ? { state: 'cooling', forMs: leftMs } : { state: 'loading' };
  }

  /** When the fetch that is under way has ended, if one is. */
  async settled(): Promise<void> {
    await this.#loading;
  }

  /** Aborts the running fetch, and starts no other. */
  stop(): void {
    this.#stopped.abort();
  }

  #sinceBegun(): number {
    return this.#ports.nowMs() - this.#begunMs;
  }

  #isExpired(): boolean {
    return this.#takenMs === undefined || this.#ports.nowMs() - this.#takenMs > this.#times.maxStaleMs;
  }

  #begin(): void {
    if (this.#loading !== undefined || this.#stopped.signal.aborted) return;
    const begunMs = this.#ports.nowMs();
    this.#begunMs = begunMs;
    this.#loading = this.#load(begunMs).finally(() => {
      this.#loading = undefined;
    });
  }

  async #load(begunMs: number): Promise<void> {
    const { load, events } = this.#ports;
    const { signal } = this.#stopped;
    let content: KeySetContent;
    try {
      content = await load(signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(error instanceof Error ? error.message : String(error));
      return;
    }
    if (signal.aborted) return;
    const isOther = this.#take(content.keys);
    // As old as the fetch: what was revoked meanwhile is still in it.
    this.#takenMs = begunMs;
    const said = content.problems.join('\n');
    const isNews = isOther || said !== this.#said;
    this.#said = said;
    events.taken(content, isNews);
  }

  #fail(why: string): void {
    const isNews = why !== this.#said;
    this.#said = why;
    this.#ports.events.failed(why, isNews);
  }

  /** A key that is still there stays the same object: what is remembered of it stays known. Returns whether anything changed. */
  #take(keys: readonly ForeignKey[]): boolean {
    const before = this.keys;
    const kept = keys.map((key) => {
      const known = this.#keys.get(key.kid);
      return known?.text === key.text ? known : key;
    });
    this.#keys = new Map(kept.map((key) => [key.kid, key]));
    return before.size !== kept.length || kept.some((key) => before.get(key.kid) !== key);
  }
}
