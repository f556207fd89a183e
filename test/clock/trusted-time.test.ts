import { describe, expect, test } from 'vitest';
import { type Anchor, anchorOf } from '../../src/clock/anchor.ts';
import { BOUND_MS, LAG_LASTS_MS, SETTLE_AHEAD_MS, SETTLE_BACK_MS } from '../../src/clock/trusted-time.ts';
import { DAY, HOUR, MINUTE, SECOND, SimulatedMachine, SimulatedProcess, START_MS, YEAR } from './simulated-machine.ts';

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
  test.each([10, 29, 30])('a step of %i s is believed at once', (seconds) => {
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

  test('small steps do not add up to a jump: a clock that runs at twice its speed is doubted, and never believed', () => {
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
    expect(process.trustedTime.doubt).toMatchObject({ against: 'monotonic time', differenceMs: jump });
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

  test('a clock that stands is doubted when it is 30 s behind, and never believed', () => {
    const process = running();
    process.run(30 * SECOND, -SECOND);
    expect(process.isDoubted).toBe(false);
    process.run(SECOND, -SECOND);
    expect(process.isDoubted).toBe(true);
    process.run(2 * HOUR, -SECOND);
    expect(process.isDoubted).toBe(true);
    expect(Math.abs(process.errorMs)).toBeLessThanOrEqual(BOUND_MS);
  });

  test('a clock that jumps to and fro is not believed for having been doubted for long', () => {
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
  test('a clock that is ahead is believed after an hour, and then nothing is forgotten for its sake for more than a day', () => {
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

  test('C4 the earliest time never runs ahead of the real one, whatever is believed and taken back', () => {
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

  test('a clock that is behind is believed after a quarter of an hour', () => {
    const process = running();
    process.machine.step(-2 * HOUR);
    process.look();
    process.run(SETTLE_BACK_MS - SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([true, 0]);
    process.run(SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([false, -2 * HOUR]);
  });

  test('and so its entries are known to be ahead, and not a second doubt', () => {
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
  test('is believed at the first look: its boot time went on', () => {
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
    expect(process.trustedTime.doubt?.differenceMs).toBe(2 * HOUR);
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

describe('C3 a restart', () => {
  const anchorAfter = (process: SimulatedProcess, bootId = 'boot'): Anchor =>
    anchorOf(process.trustedTime, process.machine.read(), bootId)!;

  test.each([
    ['forward', 2 * HOUR],
    ['back', -2 * HOUR],
  ])(
    'within a jump %s does not make it believed: the boot time says how long ago the anchor was true',
    (_name, jump) => {
      const before = running();
      const anchor = anchorAfter(before);
      before.machine.pass(3 * DAY);
      before.machine.step(jump);
      before.machine.steadyMs = 1_000;
      const after = new SimulatedProcess(before.machine, { anchor, newestMs: START_MS });
      expect([after.isDoubted, after.errorMs]).toEqual([true, 0]);
      expect(anchorOf(after.trustedTime, after.machine.read(), 'boot')).toBeUndefined();
      after.machine.step(-jump);
      after.look();
      expect([after.isDoubted, after.errorMs, after.lagMs]).toEqual([false, 0, 0]);
    },
  );

  test('after a long stop: a clock ahead of the newest entry is believed, and nothing is forgotten for its sake for a day', () => {
    const before = running();
    const anchor = anchorAfter(before);
    before.machine.pass(30 * DAY);
    const after = new SimulatedProcess(before.machine, { anchor, newestMs: START_MS, bootId: 'another' });
    expect([after.isDoubted, after.errorMs, after.lagMs]).toEqual([false, 0, 30 * DAY]);
    after.run(LAG_LASTS_MS + SECOND);
    expect(after.lagMs).toBe(0);
  });

  test('the day of a long stop is not cut short by a further restart', () => {
    const first = running();
    const anchor = anchorAfter(first);
    first.machine.pass(30 * DAY);
    const second = new SimulatedProcess(first.machine, { anchor, newestMs: START_MS, bootId: 'another' });
    second.run(HOUR);
    const third = new SimulatedProcess(first.machine, { anchor: anchorAfter(second, 'another'), bootId: 'another' });
    expect(third.lagMs).toBe(30 * DAY);
    third.run(LAG_LASTS_MS - HOUR);
    expect(third.lagMs).toBe(0);
  });

  test('of a machine without a clock of its own, which goes on from its shutdown until NTP has the time: believed at once', () => {
    const before = running();
    const anchor = anchorAfter(before);
    const { machine } = before;
    machine.pass(30 * DAY);
    machine.step(-30 * DAY);
    const after = new SimulatedProcess(machine, { anchor, newestMs: START_MS, bootId: 'another' });
    after.run(10 * MINUTE);
    expect([after.isDoubted, after.errorMs]).toEqual([false, -30 * DAY]);
    machine.step(30 * DAY);
    after.look();
    expect([after.isDoubted, after.errorMs, after.lagMs]).toEqual([false, 0, 30 * DAY]);
    // That was it: a second step is a jump, and so is the first one where it comes an hour late.
    machine.step(HOUR);
    after.look();
    expect(after.isDoubted).toBe(true);
    machine.step(-HOUR);
    const late = new SimulatedProcess(machine, { anchor: anchorAfter(running(machine)), bootId: 'another' });
    late.run(HOUR);
    machine.step(HOUR);
    late.look();
    expect(late.isDoubted).toBe(true);
  });

  test('without an anchor the newest entry is all that is known: retention goes by it', () => {
    const process = new SimulatedProcess(new SimulatedMachine(), { newestMs: START_MS - DAY });
    expect([process.isDoubted, process.errorMs, process.lagMs]).toEqual([false, 0, DAY]);
  });

  test('with a clock far behind the newest entry, that is evident: time goes on from the entry until the clock has passed it', () => {
    const process = new SimulatedProcess(new SimulatedMachine({ wrongMs: -YEAR }), { newestMs: START_MS - MINUTE });
    expect(process.trustedTime.doubt).toMatchObject({ against: 'the newest entry', differenceMs: -YEAR + MINUTE });
    expect(process.errorMs).toBe(-MINUTE);
    process.run(MINUTE);
    process.machine.step(YEAR);
    process.look();
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
  });

  test('of a ledger with entries from the future: after a quarter of an hour the clock is believed, and a restart remembers', () => {
    const newestMs = START_MS + YEAR;
    const process = new SimulatedProcess(new SimulatedMachine(), { newestMs });
    expect(process.isDoubted).toBe(true);
    process.run(SETTLE_BACK_MS);
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
    const again = new SimulatedProcess(process.machine, { newestMs, anchor: anchorAfter(process) });
    expect([again.isDoubted, again.errorMs]).toEqual([false, 0]);
    const onAnotherMachine = new SimulatedProcess(process.machine, {
      newestMs,
      anchor: anchorAfter(process),
      bootId: 'another',
    });
    expect([onAnotherMachine.isDoubted, onAnotherMachine.errorMs]).toEqual([false, 0]);
  });

  test('a first start believes what it is told', () => {
    for (const wrongMs of [0, YEAR, -YEAR]) {
      const process = new SimulatedProcess(new SimulatedMachine({ wrongMs }));
      expect([process.isDoubted, process.errorMs]).toEqual([false, wrongMs]);
    }
  });
});

describe('C1 an entry of another process', () => {
  test('that is ahead of the clock by more than 30 s is a reason for doubt, and no longer when the clock has reached it', () => {
    const process = running();
    process.look(process.machine.trueMs + 31 * SECOND);
    expect(process.trustedTime.doubt).toMatchObject({ against: 'the newest entry', differenceMs: -31 * SECOND });
    expect(process.errorMs).toBe(0);
    process.run(SECOND);
    expect(process.isDoubted).toBe(false);
  });

  test('ends to be one after a quarter of an hour; a later one begins anew', () => {
    const process = running();
    const newestMs = process.machine.trueMs + DAY;
    process.look(newestMs);
    process.run(SETTLE_BACK_MS - SECOND);
    expect(process.isDoubted).toBe(true);
    process.run(SECOND);
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
    process.look(newestMs + 1);
    expect(process.isDoubted).toBe(true);
  });

  test('that is 30 s ahead is none', () => {
    const process = running();
    process.look(process.machine.trueMs + 30 * SECOND);
    expect(process.isDoubted).toBe(false);
  });
});
