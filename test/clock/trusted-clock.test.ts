import { describe, expect, test } from 'vitest';
import { codeOf, toStatus } from '../../src/calls/errors.ts';
import type { Evidence } from '../../src/clock/anchor.ts';
import { TrustedClock } from '../../src/clock/trusted-clock.ts';
import type { EctError } from '../../src/errors.ts';
import { DAY, HOUR, SECOND, SimulatedMachine, YEAR } from './simulated-machine.ts';

function open(machine = new SimulatedMachine(), evidence: Partial<Evidence> = {}) {
  const reported: [string, number][] = [];
  const measured: (readonly [number, boolean])[] = [];
  const compared: (readonly [number, boolean])[] = [];
  const reads = { all: 0, wall: 0 };
  const clock = new TrustedClock({
    evidence: { bootId: 'boot', anchor: undefined, newestMs: 0, ...evidence },
    events: {
      clockDoubted: ({ differenceMs }) => reported.push(['doubted', differenceMs]),
      clockTrusted: (aheadMs) => reported.push(['trusted', aheadMs]),
      clockStepped: (aheadMs) => reported.push(['stepped', aheadMs]),
      clockMeasured: (aheadMs, isDoubted) => measured.push([aheadMs, isDoubted]),
      clockCompared: (aheadMs, isFar) => compared.push([Math.round(aheadMs), isFar]),
    },
    read: () => {
      reads.all++;
      return machine.read();
    },
    readWallMs: () => {
      reads.wall++;
      return machine.wallMs;
    },
    readSteadyMs: () => machine.steadyMs,
  });
  /** What the clock of the database says at this moment, wrong by so much. */
  const compare = (wrongMs = 0, marginMs = 1) =>
    clock.compare({ readMs: machine.trueMs + wrongMs, steadyMs: clock.steadyMs(), marginMs });
  return { clock, machine, reported, measured, compared, reads, compare };
}

const untrusted = expect.objectContaining({ reason: 'CLOCK_UNTRUSTED' });

test('C3 a jump between two looks does not change the trusted time, and dates no entry', () => {
  const { clock, machine } = open();
  for (const jump of [2 * HOUR, -2 * HOUR, YEAR]) {
    machine.step(jump);
    expect([clock.nowMs(), clock.earliestMs(), clock.stampMs()]).toEqual(Array(3).fill(machine.trueMs));
    expect(() => clock.stampEntryMs(0)).toThrow(untrusted);
    expect(clock.isTrusted).toBe(false);
    expect(() => clock.stampMs()).toThrow(untrusted);
    machine.step(-jump);
    // A write need not wait for the next look.
    expect(clock.stampEntryMs(0)).toBe(machine.trueMs);
    expect(clock.stampMs()).toBe(machine.trueMs);
  }
});

test('C2 durations go on through jumps, and through sleep', () => {
  const { clock, machine } = open();
  const beganMs = clock.steadyMs();
  machine.step(YEAR);
  clock.look();
  expect(clock.steadyMs() - beganMs).toBe(0);
  machine.pass(SECOND);
  expect(clock.steadyMs() - beganMs).toBe(SECOND);
  machine.step(-YEAR);
  machine.sleep(HOUR);
  clock.look();
  expect(clock.steadyMs() - beganMs).toBe(HOUR + SECOND);
  expect(clock.nowMs()).toBe(machine.trueMs);
});

test('the rejection names the clock, the difference and the next step, and when to come back', () => {
  const { clock, machine } = open();
  machine.step(-2 * HOUR);
  clock.look();
  let error: EctError | undefined;
  try {
    clock.stampMs();
  } catch (thrown) {
    error = thrown as EctError;
  }
  expect(error?.message).toBe(
    'The wall clock of the service is 7200 s behind monotonic time, so nothing is issued or recorded.',
  );
  expect(error?.metadata).toEqual({ difference_seconds: '-7200', retry_after_seconds: '5' });
  const { details, message } = toStatus(error!);
  expect(details.map(({ typeUrl }) => typeUrl.split('.').at(-1))).toEqual([
    'ErrorInfo',
    'RetryInfo',
    'PreconditionFailure',
  ]);
  expect(message).toMatch('the operator has corrected the clock');
  expect(codeOf('CLOCK_UNTRUSTED')).toBe(codeOf('LEDGER_UNAVAILABLE'));
});

test('each change is reported once, and each look is measured', () => {
  const { clock, machine, reported, measured } = open();
  const look = (step: number) => {
    machine.pass(SECOND);
    machine.step(step);
    clock.look();
  };
  for (const step of [0, 4 * SECOND, 5 * SECOND, 2 * HOUR, 0, 0, -2 * HOUR, 0]) look(step);
  expect(reported).toEqual([
    ['stepped', 5 * SECOND],
    ['doubted', 2 * HOUR + 9 * SECOND - 20],
    ['trusted', 0],
  ]);
  expect(measured.map(([, isDoubted]) => isDoubted)).toEqual([
    false,
    false,
    false,
    false,
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(measured[5]?.[0]).toBe(2 * HOUR);
});

test('what a call costs: no clock but the monotonic one is read, and an entry reads the wall clock once', () => {
  const { clock, reads } = open();
  const before = { ...reads };
  const hands = [clock.nowMs, clock.stampMs, clock.earliestMs, clock.forgottenMs, clock.steadyMs];
  for (let call = 0; call < 100; call++) for (const tell of hands) tell();
  expect(reads).toEqual(before);
  clock.stampEntryMs(0);
  expect(reads).toEqual({ all: before.all, wall: before.wall + 1 });
});

test('times are whole milliseconds: they go into the ledger', () => {
  const machine = new SimulatedMachine();
  machine.steadyMs += 0.123;
  const { clock } = open(machine);
  expect([clock.nowMs(), clock.earliestMs(), clock.stampEntryMs(0)].every(Number.isSafeInteger)).toBe(true);
});

test('an entry of another process from the future: nothing is dated after it until that is known to be so', () => {
  const { clock, machine } = open();
  const newestMs = machine.trueMs + DAY;
  expect(() => clock.stampEntryMs(newestMs)).toThrow(untrusted);
  for (let minute = 0; minute < 15; minute++) {
    expect(() => clock.stampEntryMs(newestMs)).toThrow(untrusted);
    machine.pass(60 * SECOND);
    clock.look();
  }
  expect(clock.stampEntryMs(newestMs)).toBe(machine.trueMs);
});

describe('C8 a clock that replicas share', () => {
  test.each([40 * SECOND, -40 * SECOND, HOUR])(
    'stops the replica that is wrong by %i ms from the start, until its own clock is right',
    (wrongMs) => {
      const { clock, machine, reported, compared, compare } = open(new SimulatedMachine({ wrongMs }));
      expect(clock.isTrusted).toBe(true);
      compare();
      expect(clock.isTrusted).toBe(false);
      expect(() => clock.stampEntryMs(0)).toThrow(untrusted);
      expect(() => clock.stampMs()).toThrow(/(?:ahead of|behind) the clock of the database/);
      // No look at the clocks of the machine itself changes that.
      machine.pass(SECOND);
      clock.look();
      expect(() => clock.stampMs()).toThrow(untrusted);
      expect(reported).toEqual([['doubted', wrongMs]]);
      expect(compared).toEqual([[wrongMs, true]]);

      machine.step(-wrongMs);
      machine.pass(SECOND);
      clock.look();
      compare();
      expect(clock.stampEntryMs(0)).toBe(machine.trueMs);
      expect(reported.at(-1)?.[0]).toBe('trusted');
      expect(compared.at(-1)).toEqual([0, false]);
    },
  );

  test('up to 30 s either way it is trusted, and reported from 5 s on', () => {
    for (const [wrongMs, isFar] of [
      [4_900, false],
      [-5_100, true],
      [29_900, true],
    ] as const) {
      const { clock, compared, compare, machine } = open(new SimulatedMachine({ wrongMs }));
      compare();
      expect(clock.stampMs()).toBe(machine.trueMs + wrongMs);
      expect(compared).toEqual([[wrongMs, isFar]]);
    }
  });

  test('counts for what it surely says: half the round trip may be on either way', () => {
    const { clock, compared, compare } = open(new SimulatedMachine({ wrongMs: 33 * SECOND }));
    compare(0, 4 * SECOND);
    expect(clock.isTrusted).toBe(true);
    compare(0, 2 * SECOND);
    expect(clock.isTrusted).toBe(false);
    expect(compared).toHaveLength(2);
  });

  test('an entry of another replica from up to 60 s ahead stops a replica only without a shared clock', () => {
    const [alone, sharing] = [open(), open()];
    sharing.compare();
    const newestMs = sharing.machine.trueMs + 59 * SECOND;
    expect(() => alone.clock.stampEntryMs(newestMs)).toThrow(untrusted);
    expect(sharing.clock.stampEntryMs(newestMs)).toBe(sharing.machine.trueMs);
  });

  test('after a jump the wall clock is trusted immediately if it agrees with the shared clock, and not otherwise', () => {
    const { clock, machine, compare, reported } = open();
    compare();
    // A hypervisor paused the machine: no clock of it has counted that hour.
    machine.sleep(HOUR, true);
    clock.look();
    expect(clock.isTrusted).toBe(false);
    compare();
    expect(clock.stampMs()).toBe(machine.trueMs);
    // Nobody has measured it on this machine, so nothing is forgotten for its sake.
    expect(clock.earliestMs()).toBe(machine.trueMs - HOUR);
    expect(reported.map(([what]) => what)).toEqual(['doubted', 'trusted']);

    machine.step(2 * HOUR);
    clock.look();
    compare();
    expect(clock.isTrusted).toBe(false);
  });

  test('what others may have forgotten by it is not known here, however late this clock is', () => {
    const { clock, machine, compare } = open(new SimulatedMachine({ wrongMs: -HOUR }));
    expect(clock.forgottenMs()).toBe(machine.trueMs - HOUR);
    compare();
    machine.pass(SECOND);
    expect(clock.forgottenMs()).toBe(machine.trueMs);
  });
});
