import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { MetricsSnapshot } from '../../src/telemetry/events.ts';
import { SharedMetrics } from '../../src/workers/metrics.ts';

/** The metrics of one process, with the kinds that there are. */
function makeSource() {
  const registry = new Registry();
  const registers = [registry];
  return {
    calls: new Counter({ name: 'calls', help: 'calls', labelNames: ['code'], registers }),
    seconds: new Histogram({ name: 'seconds', help: 'seconds', buckets: [1, 2], registers }),
    bytes: new Gauge({ name: 'bytes', help: 'bytes', registers }),
    size: new Gauge({ name: 'size', help: 'size', aggregator: 'max', registers }),
    /** As it is after its way between two processes. */
    snapshot: async (): Promise<MetricsSnapshot> => structuredClone(await registry.getMetricsAsJSON()),
  };
}

/** The samples of a text by name and labels. */
function samplesOf(text: string): Readonly<Record<string, number>> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

test('counts and histograms are added up; a gauge is added up or the largest counts, as it says', async () => {
  const [one, two] = [makeSource(), makeSource()];
  const metrics = new SharedMetrics();
  for (const source of [one, two]) metrics.add(source);
  one.calls.inc({ code: 'OK' }, 3);
  two.calls.inc({ code: 'OK' }, 4);
  two.calls.inc({ code: 'INTERNAL' });
  one.seconds.observe(0.5);
  two.seconds.observe(1.5);
  for (const [source, value] of [[one, 10] as const, [two, 20] as const]) {
    source.bytes.set(value);
    source.size.set(value);
  }
  expect(samplesOf(await metrics.read())).toEqual({
    'calls{code="OK"}': 7,
    'calls{code="INTERNAL"}': 1,
    'seconds_bucket{le="1"}': 1,
    'seconds_bucket{le="2"}': 2,
    'seconds_bucket{le="+Inf"}': 2,
    seconds_sum: 2,
    seconds_count: 2,
    bytes: 30,
    size: 20,
  });
});

test('what a process counted stays counted when it is gone, and its gauges go with it', async () => {
  const metrics = new SharedMetrics();
  for (let turn = 1; turn <= 3; turn++) {
    const source = makeSource();
    metrics.add(source);
    source.calls.inc({ code: 'OK' }, 5);
    source.seconds.observe(1.5);
    source.bytes.set(100);
    expect(samplesOf(await metrics.read())).toMatchObject({ 'calls{code="OK"}': 5 * turn, bytes: 100 });
    metrics.remove(source);
  }
  const left = samplesOf(await metrics.read());
  expect(left).toMatchObject({ 'calls{code="OK"}': 15, 'seconds_bucket{le="2"}': 3, seconds_sum: 4.5 });
  expect(left).not.toHaveProperty('bytes');
});

test('the last word of a process counts, said unasked before it goes', async () => {
  const source = makeSource();
  const metrics = new SharedMetrics();
  metrics.add(source);
  source.calls.inc({ code: 'OK' }, 2);
  metrics.note(source, await source.snapshot());
  metrics.remove(source);
  metrics.note(source, await source.snapshot());
  expect(samplesOf(await metrics.read())).toMatchObject({ 'calls{code="OK"}': 2 });
});

test('a process that does not answer holds nobody up: its last word stands for it', async () => {
  const source = makeSource();
  let isStuck = false;
  const metrics = new SharedMetrics();
  metrics.add({ snapshot: () => (isStuck ? new Promise(() => {}) : source.snapshot()) });
  source.calls.inc({ code: 'OK' }, 2);
  await metrics.read();
  isStuck = true;
  source.calls.inc({ code: 'OK' });
  expect(samplesOf(await metrics.read())).toMatchObject({ 'calls{code="OK"}': 2 });
});

test('a value that is no number is shown as one, and does not spoil the others', async () => {
  const source = makeSource();
  const metrics = new SharedMetrics();
  metrics.add(source);
  source.bytes.set(Number.NaN);
  source.size.set(1);
  expect(await metrics.read()).toMatch(/^bytes Nan$/m);
  expect(samplesOf(await metrics.read())).toMatchObject({ size: 1 });
});
