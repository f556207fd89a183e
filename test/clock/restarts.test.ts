// The trusted time after a restart of the process or the machine, and beside the entries of other processes.

import { describe, expect, test } from 'vitest';
import { type Anchor, anchorOf } from '../../src/clock/anchor.ts';
import { LAG_LASTS_MS, SETTLE_BACK_MS } from '../../src/clock/trusted-time.ts';
import { DAY, HOUR, MINUTE, SECOND, SimulatedMachine, SimulatedProcess, START_MS, YEAR } from './simulated-machine.ts';

/** A process that has run for a while on a machine whose clock is right. */
function running(machine = new SimulatedMachine()): SimulatedProcess {
  const process = new SimulatedProcess(machine);
  process.run(10 * SECOND);
  expect(process.isDoubted).toBe(false);
  return process;
}

describe('C3 a restart', () => {
  const anchorAfter = (process: SimulatedProcess, bootId = 'boot'): Anchor =>
    anchorOf(process.trustedTime, process.machine.read(), bootId)!;

  test.each([
    ['forward', 2 * HOUR],
    ['back', -2 * HOUR],
  ])(
    'within a jump %s does not make it trusted: the boot time says how long ago the anchor was true',
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

  test('after a long stop: a clock ahead of the newest entry is trusted, and deletes nothing for a day', () => {
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

  test('of a machine without a clock of its own, which goes on from its shutdown until NTP has the time: trusted at once', () => {
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
    expect(process.trustedTime.skew).toMatchObject({ against: 'the newest entry', differenceMs: -YEAR + MINUTE });
    expect(process.errorMs).toBe(-MINUTE);
    process.run(MINUTE);
    process.machine.step(YEAR);
    process.look();
    expect([process.isDoubted, process.errorMs]).toEqual([false, 0]);
  });

  test('of a ledger with entries from the future: after a quarter of an hour the clock is trusted, and a restart remembers', () => {
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

  test('a first start trusts the wall clock', () => {
    for (const wrongMs of [0, YEAR, -YEAR]) {
      const process = new SimulatedProcess(new SimulatedMachine({ wrongMs }));
      expect([process.isDoubted, process.errorMs]).toEqual([false, wrongMs]);
    }
  });
});

describe('C1 an entry of another process', () => {
  test('that is ahead of the clock by more than 30 s is reported as a clock skew, until the clock has reached it', () => {
    const process = running();
    process.look(process.machine.trueMs + 31 * SECOND);
    expect(process.trustedTime.skew).toMatchObject({ against: 'the newest entry', differenceMs: -31 * SECOND });
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
