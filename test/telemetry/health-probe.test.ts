import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type HealthProbe, startHealthProbe } from '../../src/telemetry/health-probe.ts';

// Time stands, and moves only where a test moves it.
let probe: HealthProbe | undefined;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  probe?.stop();
  vi.useRealTimers();
});

test('what has answered when the service starts counts until it is asked', () => {
  probe = startHealthProbe(() => Promise.reject(new Error('down')), 1000);
  expect(probe.holds()).toBe(true);
});

test('it follows what is asked: no when the answer is an error, yes once it comes again', async () => {
  let up = true;
  probe = startHealthProbe(() => (up ? Promise.resolve() : Promise.reject(new Error('down'))), 1000);
  for (const state of [true, false, false, true]) {
    up = state;
    await vi.advanceTimersByTimeAsync(1000);
    expect(probe.holds()).toBe(state);
  }
});

test('while a question hangs the answer is no, and no second one is asked', async () => {
  const questions: (() => void)[] = [];
  probe = startHealthProbe(() => new Promise<void>((resolve) => questions.push(resolve)), 1000);
  await vi.advanceTimersByTimeAsync(1000);
  expect(probe.holds()).toBe(true);
  await vi.advanceTimersByTimeAsync(5000);
  expect(probe.holds()).toBe(false);
  expect(questions).toHaveLength(1);
  questions[0]!();
  await vi.advanceTimersByTimeAsync(0);
  expect(probe.holds()).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  expect(questions).toHaveLength(2);
});

test('it asks at its interval, and not once it is stopped', async () => {
  let asked = 0;
  probe = startHealthProbe(async () => {
    asked++;
  }, 250);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toBe(4);
  probe.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(4);
  expect(vi.getTimerCount()).toBe(0);
});
