// The metrics of all workers as one text. The counts of a worker are kept after it has exited: a counter that falls would be read as a
// reset of the whole service.

import { AggregatorRegistry } from 'prom-client';
import type { MetricsSnapshot } from '../telemetry/events.ts';

/** How long to wait for the metrics of a worker. After that its last known metrics are used. */
const ANSWER_MS = 1_000;

/** A process that provides metrics. */
export interface MetricsSource {
  snapshot(): Promise<MetricsSnapshot>;
}

export class SharedMetrics {
  readonly #last = new Map<MetricsSource, MetricsSnapshot>();
  /** Counters and histograms of workers that have exited. */
  #past: Promise<MetricsSnapshot> = Promise.resolve([]);
  #reading: Promise<string> | undefined;

  add(source: MetricsSource): void {
    this.#last.set(source, []);
  }

  /** Stores the newest metrics of a source that was added. */
  note(source: MetricsSource, snapshot: MetricsSnapshot): void {
    if (this.#last.has(source)) this.#last.set(source, snapshot);
  }

  /** Removes a source that has exited. Its gauges are removed, its counts are kept. */
  remove(source: MetricsSource): void {
    const last = this.#last.get(source) ?? [];
    this.#last.delete(source);
    this.#past = this.#past.then(async (past) =>
      AggregatorRegistry.aggregate([past, last.filter(isCount)]).getMetricsAsJSON(),
    );
  }

  /** Returns the aggregate in the Prometheus text format. Concurrent requests share one result. */
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
  // The type declaration of the library says that `type` is a number; in fact it is the name.
  return ['counter', 'histogram'].includes(String(type));
}
