import { describe, expect, test } from 'vitest';
import { anchorOf } from '../../src/clock/anchor.ts';
import { BOUND_MS, LAG_LASTS_MS, SETTLE_AHEAD_MS, SETTLE_BACK_MS } from '../../src/clock/trusted-time.ts';
import { DAY, HOUR, MINUTE, SECOND, SimulatedMachine, SimulatedProcess, YEAR } from './simulated-machine.ts';

const JUMPS = [
  ['two hours', 2 * HOUR],
  ['a day', DAY],
  ['a year', YEAR],
] as const;

/** A process that has run for a while on a machine whose clock is right. */
function running(machine = new SimulatedMachine()): SimulatedProcess {
  const process = new SimulatedProcess(machine);
  process.run(10 * SECOND);
  expect(process.isDoubted).toBe(false);
  return process;
}

describe('C1 small differences', () => {
  test.each([10, 29, 30])('a step of %i s is trusted at once', (seconds) => {
    for (const step of [seconds * SECOND, -seconds * SECOND]) {
      const process = running();
      process.machine.step(step);
      process.look();
      expect([process.isDoubted, process.errorMs]).toEqual([false, step]);
    }
  });

  test.each([30.001, 31, 300])('a step of %d s is not', (seconds) => {
    for (const step of [seconds * SECOND, -seconds * SECOND]) {
      const process = running();
      process.machine.step(step);
      process.look();
      expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    }
  });

  test('a clock that NTP slews is followed for days: 500 ppm, and the largest slew of chrony for an hour', () => {
    for (const [perSecond, lasting] of [
      [0.5, 3 * DAY],
      [-0.5, 3 * DAY],
      [9, HOUR],
    ] as const) {
      const process = running();
      process.run(lasting, perSecond);
      expect([process.isDoubted, process.errorMs]).toEqual([false, process.machine.wrongMs]);
    }
  });

  test('small steps do not add up to a jump: a clock that runs at twice its speed is not trusted', () => {
    const process = running();
    process.run(4 * HOUR, SECOND);
    expect(process.isDoubted).toBe(true);
    expect(process.errorMs).toBeLessThan(BOUND_MS + SECOND);
  });

  test('C2 a leap second passes', () => {
    for (const leap of [SECOND, -SECOND]) {
      const process = running();
      process.machine.step(leap);
      process.run(MINUTE);
      expect([process.isDoubted, process.errorMs]).toEqual([false, leap]);
    }
  });
});

describe('C3 a jump', () => {
  test.each(JUMPS)('of %s forward is doubted, the time goes on, and it ends with the jump', (_name, jump) => {
    const process = running();
    process.machine.step(jump);
    process.look();
    expect(process.trustedTime.skew).toMatchObject({ against: 'monotonic time', differenceMs: jump });
    process.run(10 * MINUTE);
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([true, 0, 0]);
    process.machine.step(-jump);
    process.look();
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([false, 0, 0]);
  });

  test.each(JUMPS)('of %s back is doubted, the time goes on, and it ends with the jump', (_name, jump) => {
    const process = running();
    process.machine.step(-jump);
    process.run(10 * MINUTE);
    expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    process.machine.step(jump);
    process.look();
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
  });

  test('a clock that stands is not trusted when it is 30 s behind, nor later', () => {
    const process = running();
    process.run(30 * SECOND, -SECOND);
    expect(process.isDoubted).toBe(false);
    process.run(SECOND, -SECOND);
    expect(process.isDoubted).toBe(true);
    process.run(2 * HOUR, -SECOND);
    expect(process.isDoubted).toBe(true);
    expect(Math.abs(process.errorMs)).toBeLessThanOrEqual(BOUND_MS);
  });

  test('a clock that jumps to and fro is not trusted because its skew has lasted long', () => {
    const process = running();
    for (let turn = 0; turn < 12; turn++) {
      process.machine.step(turn % 2 === 0 ? HOUR : -HOUR + 2 * MINUTE);
      process.run(10 * MINUTE);
    }
    expect(process.isDoubted).toBe(true);
    expect(process.errorMs).toBe(0);
  });
});

describe('a difference that stands', () => {
  test('a clock that is ahead is trusted after an hour, and deletes nothing for more than a day', () => {
    const process = running();
    process.machine.step(2 * HOUR);
    process.look();
    process.run(SETTLE_AHEAD_MS - SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    process.run(SECOND);
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([false, 2 * HOUR, 0]);
    process.run(LAG_LASTS_MS - SECOND);
    expect(process.lagMs).toBe(0);
    process.run(SECOND);
    expect(process.lagMs).toBe(-2 * HOUR);
  });

  test('C4 the earliest time never runs ahead of the real one, whatever is trusted and corrected', () => {
    const process = running();
    for (const jump of [2 * HOUR, -2 * HOUR, DAY, -DAY, -HOUR, HOUR]) {
      process.machine.step(jump);
      process.run(SETTLE_AHEAD_MS + MINUTE);
      expect(process.isDoubted).toBe(false);
      expect(process.lagMs).toBeGreaterThanOrEqual(0);
    }
  });

  test('C4 what was forgotten before the clock was set back stays known to be, also to the next process', () => {
    const process = running();
    const { trueMs } = process.machine;
    process.machine.step(-2 * HOUR);
    process.run(SETTLE_BACK_MS + SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([false, -2 * HOUR]);
    expect(process.trustedTime.forgottenMs - trueMs).toBeGreaterThanOrEqual(SETTLE_BACK_MS);
    const anchor = anchorOf(process.trustedTime, process.machine.read(), 'boot')!;
    for (const bootId of ['boot', 'another']) {
      const next = new SimulatedProcess(process.machine, { anchor, bootId });
      expect(next.trustedTime.forgottenMs).toBe(process.trustedTime.forgottenMs);
    }
    process.run(3 * HOUR, 0);
    expect(process.trustedTime.forgottenMs).toBe(process.machine.wallMs);
  });

  test('a clock that is behind is trusted after a quarter of an hour', () => {
    const process = running();
    process.machine.step(-2 * HOUR);
    process.look();
    process.run(SETTLE_BACK_MS - SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    process.run(SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([false, -2 * HOUR]);
  });

  test('and so its entries are known to be ahead, and not a second clock skew', () => {
    const process = running();
    process.look(process.machine.trueMs);
    process.machine.step(-2 * HOUR);
    process.run(SETTLE_BACK_MS + SECOND);
    expect(process.isDoubted).toBe(false);
    process.run(HOUR);
    expect(process.isDoubted).toBe(false);
  });
});

describe('a machine that slept', () => {
  test('is trusted at the first look: its boot time went on', () => {
    const process = running();
    process.machine.sleep(8 * HOUR);
    process.look();
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([false, 0, 0]);
  });

  test('and was set forward meanwhile: what the boot time does not explain is doubted', () => {
    const process = running();
    process.machine.sleep(8 * HOUR);
    process.machine.step(2 * HOUR);
    process.look();
    expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    expect(process.trustedTime.skew?.differenceMs).toBe(2 * HOUR);
  });

  test('under a hypervisor that stopped all of its clocks comes back by itself, when its clock has stood for an hour', () => {
    for (const hasBootTime of [true, false]) {
      const process = running(new SimulatedMachine({ hasBootTime }));
      process.machine.sleep(8 * HOUR, true);
      process.look();
      expect(process.isDoubted).toBe(true);
      process.run(SETTLE_AHEAD_MS);
      expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
    }
  });

  test('a process that was stopped for hours has missed nothing', () => {
    const process = running();
    process.machine.pass(8 * HOUR);
    process.look();
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([false, 0, 0]);
  });

  test('a boot time that goes back says nothing', () => {
    const process = running();
    process.machine.bootMs = 1_000;
    process.run(MINUTE);
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
  });
});
