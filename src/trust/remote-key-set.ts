// The keys of one issuer, updated in the background. Verification uses the cached keys and never waits.

import type { ForeignKey, KeySetContent } from './key-set.ts';

export interface KeySetTimes {
  /** The interval of fetches without failures. */
  readonly refreshMs: number;
  /** The minimum interval of fetches, whatever requests them. */
  readonly cooldownMs: number;
  /** How long the last good set counts while no other can be fetched. */
  readonly maxStaleMs: number;
}

/** Called for the results of fetches. */
export interface KeySetEvents {
  /** A set was fetched. `isNews`: its keys, or their faults, have changed, or fetches had failed. */
  taken(content: KeySetContent, isNews: boolean): void;
  /** A fetch failed. The last good set counts until it is too old. `isNews`: the previous fetch did not fail in this way. */
  failed(why: string, isNews: boolean): void;
  /** The last good set became too old: there are no keys any more. */
  expired(): void;
}

export interface KeySetPorts {
  /** Fetches the set, in limited time. Ends when the signal aborts. */
  readonly load: (signal: AbortSignal) => Promise<KeySetContent>;
  /** Monotonic time in milliseconds. */
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
  /** The last report: of unusable keys, or why there is no set. */
  #said: string | undefined;

  /** `before`: a set of the same source, with other times. Its keys count until the first fetch. */
  constructor(times: KeySetTimes, ports: KeySetPorts, before?: RemoteKeySet) {
    this.#times = times;
    this.#ports = ports;
    if (before === undefined) return;
    this.#keys = before.#keys;
    this.#takenMs = before.#takenMs;
  }

  /** The current keys. Empty: no verdict about any token of this issuer is possible. */
  get keys(): ReadonlyMap<string, ForeignKey> {
    return this.#isExpired() ? NO_KEYS : this.#keys;
  }

  /** Fetches if it is due. Called about every second. */
  look(): void {
    if (this.#keys.size > 0 && this.#isExpired()) {
      this.#keys = NO_KEYS;
      this.#ports.events.expired();
    }
    const { refreshMs, cooldownMs } = this.#times;
    // After a failure, as soon as the minimum interval permits.
    const period = this.#takenMs === this.#begunMs ? refreshMs : Math.min(refreshMs, cooldownMs);
    if (this.#sinceBegun() >= period) this.#begin();
  }

  /** A token has an unknown key. The only effect of a token is one fetch, and the next after the cooldown. */
  want(): Wanted {
    const leftMs = this.#times.cooldownMs - this.#sinceBegun();
    if (leftMs <= 0) this.#begin();
    return this.#loading === undefined ? { state: 'cooling', forMs: leftMs } : { state: 'loading' };
  }

  /** Waits for the running fetch, if there is one. */
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
    // The age is that of the start of the fetch, because keys that were revoked meanwhile are still in it.
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

  /** A key that stays is the same object, so that caches for it stay valid. Returns whether anything changed. */
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
