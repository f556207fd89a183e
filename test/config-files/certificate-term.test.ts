// When the end of a certificate is near, and what is said of it: pure, with the clock handed in.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CertificateTerm, isInForce, phaseOf } from '../../src/config-files/certificate-term.ts';
import { ExpiryWatch } from '../../src/config-files/expiry-watch.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);
const term = (lifeMs: number): CertificateTerm => ({
  certificate: 'server',
  path: '/tls/tls.crt',
  notBeforeMs: START,
  notAfterMs: START + lifeMs,
});

describe('the phase of a certificate', () => {
  test.each([
    ['an hour, as SPIRE issues', HOUR, HOUR / 6],
    ['a day', DAY, 4 * HOUR],
    ['90 days', 90 * DAY, 14 * DAY],
    ['ten years', 3650 * DAY, 14 * DAY],
  ])('A7 of %s: a warning while there is time, then expired', (_what, lifeMs, noticeMs) => {
    const end = START + lifeMs;
    expect(phaseOf(term(lifeMs), START)).toBe('valid');
    expect(phaseOf(term(lifeMs), end - noticeMs - 1)).toBe('valid');
    expect(phaseOf(term(lifeMs), end - noticeMs)).toBe('ending');
    expect(phaseOf(term(lifeMs), end)).toBe('ending');
    expect(phaseOf(term(lifeMs), end + 1)).toBe('expired');
  });

  test('A7 in force from its start, with five minutes for clocks that differ, to its end and no longer', () => {
    const at = (ms: number) => isInForce(term(DAY), START + ms);
    expect([at(-5 * 60_000 - 1), at(-5 * 60_000), at(DAY), at(DAY + 1)]).toEqual([false, true, true, false]);
  });
});

describe('the watch', () => {
  beforeEach(() => void vi.useFakeTimers({ now: START }));
  afterEach(() => void vi.useRealTimers());

  test('A7 says each phase once, and begins anew with another certificate', () => {
    const said: string[] = [];
    const watch = new ExpiryWatch({
      certificateInForce: ({ notAfterMs }) => said.push(`until ${(notAfterMs - START) / HOUR}`),
      certificateEnding: (_term, expired) => said.push(expired ? 'expired' : 'ending'),
    });
    watch.replace([term(DAY)]);
    vi.advanceTimersByTime(19 * HOUR);
    expect(said).toEqual(['until 24']);
    vi.advanceTimersByTime(4 * HOUR);
    expect(said).toEqual(['until 24', 'ending']);
    vi.advanceTimersByTime(5 * HOUR);
    expect(said).toEqual(['until 24', 'ending', 'expired']);
    watch.replace([term(3 * DAY)]);
    vi.advanceTimersByTime(40 * HOUR);
    expect(said.slice(3)).toEqual(['until 72', 'ending']);
    watch.stop();
    vi.advanceTimersByTime(40 * HOUR);
    expect(said).toHaveLength(5);
  });
});
