// The metrics of all workers as one text. What a worker has counted stays counted when it is gone, since a counter that
// falls would be read as a restart of everything.

import { AggregatorRegistry } from 'prom-client';
import type { MetricsSnapshot } from '../telemetry/events.ts';

/** How long a worker may take to respond. After that its last metrics are used. */
const ANSWER_MS = 1_000;

/** Where the metrics of one process come from. */
export interface MetricsSource {
  snapshot(): Promise<MetricsSnapshot>;
}

export class SharedMetrics {
  readonly #last = new Map<MetricsSource, MetricsSnapshot>();
  /** Counters and histograms of those that are gone. */
  #past: Promise<MetricsSnapshot> = Promise.resolve([]);
  #reading: Promise<string> | undefined;

  add(source: MetricsSource): void {
    this.#last.set(source, []);
  }

  /** The newest metrics of a source that have been added. */
  note(source: MetricsSource, snapshot: MetricsSnapshot): void {
    if (this.#last.has(source)) this.#last.set(source, snapshot);
  }

  /** The source is gone. Its gauges go with it, its counts stay. */
  remove(source: MetricsSource): void {
    const last = this.#last.get(source) ?? [];
    this.#last.delete(source);
    this.#past = this.#past.then(async (past) =>
      AggregatorRegistry.aggregate([past, last.filter(isCount)]).getMetricsAsJSON(),
    );
  }

  /** The aggregate in the Prometheus text format. Concurrent requests share the result. */
  read(): Promise<string> {
    this.#reading ??= this.#gather().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #gather(): Promise<string> {
    await Promise.all([...this.#last.keys()].map((source) => this.#ask(source)));
    const past = await this.#past;
    return AggregatorRegistry.aggregate([past, ...this.#last.values()]).metrics();
  }

  async #ask(source: MetricsSource): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), ANSWER_MS);
    });
    const answer = await Promise.race([source.snapshot(), late]);
    clearTimeout(timer);
    if (answer !== undefined) this.note(source, answer);
  }
}

function isCount({ type }: MetricsSnapshot[number]): boolean {
  // The library's type says that `type` is a number of an enum; what it writes is the name.
  return ['counter', 'histogram'].includes(String(type));
}
