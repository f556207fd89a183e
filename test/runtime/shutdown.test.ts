// L29: the order in which a service ends, whatever fails or hangs in it.

import { expect, test } from 'vitest';
import { Shutdown, type Step, StopLate } from '../../src/runtime/shutdown.ts';

const never = () => new Promise(() => undefined);

/** A service that began in this order; each end is noted. */
function begun(steps: readonly Step[], shutdown = new Shutdown()) {
  const ended: string[] = [];
  steps.forEach((step, at) => {
    shutdown.at(step, async (graceMs) => {
      await Promise.resolve();
      ended.push(`${step} ${at} ${graceMs}`);
    });
  });
  return { shutdown, ended };
}

test('L29 calls end before what they need, whatever began first; within a step the last ends first', async () => {
  const { shutdown, ended } = begun(['calls', 'log', 'stores', 'keys', 'keys', 'directory', 'ledger', 'reload']);
  await shutdown.run(7);
  const order = ['reload 7', 'calls 0', 'keys 4', 'keys 3', 'ledger 6', 'stores 2', 'directory 5', 'log 1'];
  expect(ended).toEqual(order.map((step) => `${step} 7`));
});

test('L29 a failed step does not prevent the others, and is reported at the end', async () => {
  const { shutdown, ended } = begun(['calls', 'stores', 'directory']);
  shutdown.at('keys', () => {
    throw new Error('the first');
  });
  shutdown.at('ledger', () => Promise.reject(new Error('the second')));
  await expect(shutdown.run(0)).rejects.toThrow('the first');
  expect(ended).toHaveLength(3);
});

test('L29 a step that hangs is named and cut off', async () => {
  const { shutdown, ended } = begun(['calls', 'stores'], new Shutdown(20));
  shutdown.at('keys', never);
  const failure = await shutdown.run(5).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(StopLate);
  expect(String(failure)).toContain('within 0.025 s: the step "keys"');
  expect(ended).toEqual(['calls 0 5']);
});

test('L29 the end of a step that is late can be waited for, and no longer than is said', async () => {
  const { shutdown, ended } = begun(['calls', 'directory'], new Shutdown(5));
  const { promise, resolve } = Promise.withResolvers<void>();
  shutdown.at('keys', () => promise);
  await expect(shutdown.run(0)).rejects.toThrow(StopLate);
  await shutdown.finished(5);
  expect(ended).toEqual(['calls 0 0']);
  resolve();
  await shutdown.finished(10_000);
  expect(ended).toEqual(['calls 0 0', 'directory 1 0']);
});

test('L29 asked twice it ends once', async () => {
  const { shutdown, ended } = begun(['calls']);
  await Promise.all([shutdown.run(1), shutdown.run(2)]);
  expect(ended).toEqual(['calls 0 1']);
});
