import { beforeEach, describe, expect, test } from 'vitest';
import { type Admission, createAdmission } from '../../src/rpc/admission.ts';

/** A clock that stands until it is moved, and the share of its time that the process computed in. */
let time: number;
let busy: number;
let admission: Admission;

beforeEach(() => {
  time = 0;
  busy = 0.5;
  admission = createAdmission({ now: () => time, busyShare: () => busy });
});

function begin(calls: number): void {
  for (let call = 0; call < calls; call++) admission.begun();
}

/** Answers calls at a steady speed, one a millisecond times `speed`. */
function answer(calls: number, speed: number): void {
  for (let call = 0; call < calls; call++) {
    time += 1 / speed;
    admission.ended();
  }
}

describe('H17: the queue', () => {
  test('admits a burst while nothing is known of the speed, up to a bound', () => {
    begin(8191);
    expect(admission.admits(10)).toBe(true);
    begin(1);
    expect(admission.admits(60_000)).toBe(false);
  });

  test('refuses a call that would wait for more than half of its deadline', () => {
    begin(2000);
    answer(1000, 1); // one answer a millisecond
    begin(200);
    expect(admission.admits(2400)).toBe(false); // 1,200 calls are 1.2 s: more than the patience of anybody
    answer(200, 1);
    expect(admission.admits(2000)).toBe(true);
    expect(admission.admits(1999)).toBe(false);
  });

  test('is none where few calls are open, however slow they are', () => {
    begin(320);
    answer(1, 0.001);
    expect(admission.admits(10)).toBe(true);
  });

  test('is measured anew after a pause: an idle hour is not slowness', () => {
    begin(1);
    time += 3_600_000;
    admission.ended();
    begin(1000);
    expect(admission.admits(1000)).toBe(true);
  });

  test('is short where the process has been busy without pause: 60 ms, whatever the deadline', () => {
    begin(3000);
    busy = 0.95;
    answer(250, 1); // the second window of 100 ms has ended
    begin(250);
    expect(admission.admits(60_000)).toBe(false);
    answer(2670, 10);
    expect(admission.admits(60_000)).toBe(true); // 330 calls at some 5.5 a millisecond
    begin(330);
    expect(admission.admits(60_000)).toBe(false);
  });

  test('is that of a burst again as soon as the process finds a pause', () => {
    begin(2000);
    busy = 0.95;
    answer(300, 1);
    expect(admission.admits(60_000)).toBe(false);
    busy = 0.5;
    answer(800, 1);
    expect(admission.admits(60_000)).toBe(true); // 900 calls, one a millisecond
  });
});
