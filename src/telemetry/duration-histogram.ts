// A Prometheus histogram that is cheap to observe. That of prom-client checks the labels and hashes them for each value, which takes half a
// microsecond; here a value is two additions.

import type { Metric, MetricValueWithName } from 'prom-client';

/** The durations of one series. */
export class Durations {
  readonly #bounds: readonly number[];
  /** The number of values up to each bound and above the one before; the last: above all. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds` are the upper bounds of the buckets, in seconds and ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && seconds > bounds[at]!) at++;
    this.#counts[at]!++;
    this.#sum += seconds;
  }

  /** The values in the form of prom-client: buckets are cumulative. */
  values(name: string, labels: Readonly<Record<string, string>>): MetricValueWithName<string>[] {
    let count = 0;
    const buckets = [...this.#bounds, '+Inf'].map((le, at) => {
      count += this.#counts[at]!;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

export class DurationHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly labelNames: readonly [string];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Durations>();

  /** Its series have one label. */
  constructor(options: { name: string; help: string; labelName: string; bounds: readonly number[] }) {
    this.name = options.name;
    this.help = options.help;
    this.labelNames = [options.labelName];
    this.#bounds = options.bounds;
  }

  /** For a registry of prom-client, which needs no more of a metric than this class has. */
  asMetric(): Metric {
    return this as unknown as Metric;
  }

  /** Returns the series with this value of the label, and creates it if it does not exist. */
  labels(value: string): Durations {
    let series = this.#series.get(value);
    if (series === undefined) {
      series = new Durations(this.#bounds);
      this.#series.set(value, series);
    }
    return series;
  }

  get() {
    const { name, help, type, aggregator } = this;
    const [label] = this.labelNames;
    const values = [...this.#series].flatMap(([value, series]) => series.values(name, { [label]: value }));
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}
