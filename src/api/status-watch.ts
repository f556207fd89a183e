// Notifies the watchers of a status. All of them share one timer.

export interface StatusWatch<Status> {
  /** Yields the status of a name now, and again whenever it has changed. Throws the reason of the signal when it is aborted. */
  watch(name: string, signal: AbortSignal): AsyncGenerator<Status>;
  /** Checks for changes now. */
  look(): void;
  /** The number of watchers. */
  readonly size: number;
}

/** Calls `statusOf` once for each watcher and interval. Without watchers there is no timer. */
export function createStatusWatch<Status>(statusOf: (name: string) => Status, intervalMs: number): StatusWatch<Status> {
  const watchers = new Set<Watcher<Status>>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    for (const watcher of watchers) watcher.look(statusOf(watcher.name));
  }

  async function* watch(name: string, signal: AbortSignal): AsyncGenerator<Status> {
    const watcher = new Watcher(name, statusOf(name));
    const end = () => watcher.end();
    signal.addEventListener('abort', end, { once: true });
    watchers.add(watcher);
    timer ??= setInterval(look, intervalMs).unref();
    try {
      for (;;) {
        signal.throwIfAborted();
        const status = watcher.take();
        if (status === undefined) await watcher.changed();
        else yield status.value;
      }
    } finally {
      signal.removeEventListener('abort', end);
      watchers.delete(watcher);
      if (watchers.size === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    }
  }

  return {
    watch,
    look,
    get size() {
      return watchers.size;
    },
  };
}

class Watcher<Status> {
  readonly name: string;
  #last: Status;
  #news: { readonly value: Status } | undefined;
  #wake: (() => void) | undefined;

  constructor(name: string, first: Status) {
    this.name = name;
    this.#last = first;
    this.#news = { value: first };
  }

  look(status: Status): void {
    if (status === this.#last) return;
    this.#last = status;
    // A slow reader receives the newest status, not each of those in between.
    this.#news = { value: status };
    this.end();
  }

  take(): { readonly value: Status } | undefined {
    const news = this.#news;
    this.#news = undefined;
    return news;
  }

  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  end(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
