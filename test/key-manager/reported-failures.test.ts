// A failure that lasts for many rounds is one line in the log, not one a second.

import { expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { ReportedFailures } from '../../src/key-manager/reported-failures.ts';

function reportedFailures() {
  const reported: string[] = [];
  const counted: unknown[] = [];
  const failures = new ReportedFailures({
    onFailed: (cause, isNews) => {
      counted.push(cause);
      if (isNews) reported.push((cause as Error).message);
    },
    onRecovered: () => reported.push('recovered'),
  });
  const round = (...messages: readonly string[]) => {
    for (const message of messages) failures.failed(new EctError(reject('LEDGER_UNAVAILABLE', message)));
    failures.roundEnded();
  };
  return { failures, reported, counted, round };
}

test('a lasting failure is reported when it begins and when it ends, whatever its message; each failure is counted', () => {
  const { reported, counted, round } = reportedFailures();
  round();
  round('cannot be reached', 'no answer');
  for (let n = 0; n < 60; n++) round('refused', 'refused');
  round();
  round();
  expect(reported).toEqual(['cannot be reached', 'recovered']);
  expect(counted).toHaveLength(122);
  round('again');
  expect(reported).toEqual(['cannot be reached', 'recovered', 'again']);
});

test('another kind of failure is reported in addition, and one that occurs at two places counts once', () => {
  const { failures, reported, counted, round } = reportedFailures();
  round('away');
  const bug = new TypeError('a bug');
  failures.failed(bug);
  failures.failed(bug);
  round('away');
  expect(reported).toEqual(['away', 'a bug']);
  expect(counted).toHaveLength(3);
});
