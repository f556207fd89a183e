// Calls that wait until something happens to what they name.

export class Listeners {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Waits until the key is woken, and no longer than `ms` or the signal. */
  wait(key: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake, { once: true });
      waiting.add(wake);
    });
  }

  wake(key: string): void {
    for (const wake of this.#waiting.get(key) ?? []) wake();
  }
}
