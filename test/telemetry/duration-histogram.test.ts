// The histogram of call durations beside the one of prom-client.

import { AggregatorRegistry, Histogram, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { DurationHistogram } from '../../src/telemetry/duration-histogram.ts';

const BOUNDS = [0.001, 0.01, 0.25, 1, 60];
const NAMED = { name: 'seconds', help: 'Seconds that something took.' };

/** A registry with each of the two, and how one observes in both. */
function bothHistograms() {
  const ours = new Registry();
  const theirs = new Registry();
  const own = new DurationHistogram({ ...NAMED, labelName: 'method', bounds: BOUNDS });
  ours.registerMetric(own.asMetric());
  const other = new Histogram({ ...NAMED, labelNames: ['method'], buckets: BOUNDS, registers: [theirs] });
  const observe = (method: string, seconds: number) => {
    own.labels(method).observe(seconds);
    other.labels({ method }).observe(seconds);
  };
  return { ours, theirs, observe };
}

/** Values below, on and above each bound. */
const VALUES = [0, ...BOUNDS.flatMap((bound) => [bound * 0.999, bound, bound * 1.001]), 86_400];

describe('durations', () => {
  test('have the same text as those of prom-client, on and beside each bound', async () => {
    const { ours, theirs, observe } = bothHistograms();
    for (const seconds of VALUES) {
      observe('a/One', seconds);
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }
    for (const seconds of VALUES.toReversed()) observe('b/Two', seconds);
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test('have the same text as those of prom-client if nothing was observed', async () => {
    const { ours, theirs } = bothHistograms();
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test('of several workers are summed', async () => {
    const { ours, theirs, observe } = bothHistograms();
    for (const seconds of VALUES) observe('a/One', seconds);
    const [own, other] = await Promise.all(
      [ours, theirs].map(async (registry) => {
        const snapshot = await registry.getMetricsAsJSON();
        return AggregatorRegistry.aggregate([snapshot, structuredClone(snapshot)]).metrics();
      }),
    );
    expect(own).toBe(other);
    expect(own).toContain(`seconds_count{method="a/One"} ${2 * VALUES.length}`);
  });
});
