// Deadlines at both transports: the answer comes from the server, in time, whatever the call is busy with.

import { describe, expect, test } from 'vitest';
import { frame } from '../../support/rpc-clients.ts';
import { eventsSince } from './both-transports.ts';
import { ISSUE, issueCall, message, reasonOf, usePermissiveTransports } from './permissive-transports.ts';
import { answerOf, GRPC, openStream, type RawCall } from './raw-call.ts';

const GOOD = frame(message('good'));
const willing = usePermissiveTransports();

describe('H14: a deadline', () => {
  test.each(['0m', '0H', '00000000n', '1n', '999u', '1m'])(
    '%s ends a stuck procedure, or one not begun',
    async (timeout) => {
      expect(reasonOf(await willing.call(issueCall('stuck', { 'grpc-timeout': timeout })))).toBe('DEADLINE_EXCEEDED');
    },
  );

  test('0 ends a call before its procedure begins', async () => {
    const before = willing.reached.map(({ length }) => length);
    expect(reasonOf(await willing.call(issueCall('good', { 'grpc-timeout': '0S' })))).toBe('DEADLINE_EXCEEDED');
    expect(willing.reached.map(({ length }) => length)).toEqual(before);
  });

  test.each(['hang', 'stuck'])('a second ends a procedure that does %s, and tells it so', async (execAct) => {
    const seen = await willing.call(issueCall(execAct, { 'grpc-timeout': '1S' }));
    expect(reasonOf(seen)).toBe('DEADLINE_EXCEEDED');
    expect(seen.events).toMatchObject([{ outcome: 'error', code: 'DEADLINE_EXCEEDED' }]);
    for (const reached of willing.reached) {
      expect(reached.at(-1)?.signal.reason).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    }
  });

  test.each(['99999999H', '1H', '60000m'])('%s is long enough', async (timeout) => {
    expect(reasonOf(await willing.call(issueCall('good', { 'grpc-timeout': timeout })))).toBe('');
  });

  test.each(['', '1', 'm', '-1S', '1.5S', '123456789m', '1s', '1 S', '1S,2S', '0x1S', 'never'])(
    'H12: "%s" is rejected as malformed',
    async (timeout) => {
      const seen = await willing.call(issueCall('good', { 'grpc-timeout': timeout }));
      expect(reasonOf(seen)).toBe('REQUEST_MALFORMED');
    },
  );
});

describe('H8, H14: a body that does not end is ended by the deadline', () => {
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['nothing came', []],
    ['half a prefix came', [GOOD.subarray(0, 3)]],
    ['half a message came', [GOOD.subarray(0, 7)]],
    ['the message came, but not its end', [GOOD]],
  ];
  test.each(cases)('%s', async (_title, body) => {
    const raw: RawCall = { path: ISSUE, headers: { ...GRPC, 'grpc-timeout': '60m' }, body, keepOpen: true };
    expect(reasonOf(await willing.call(raw))).toBe('DEADLINE_EXCEEDED');
  });

  test('it trickles in, byte by byte', async () => {
    willing.transports.claimEvents(1);
    const trickle = async (side: (typeof willing.transports.both)[number]) => {
      const before = side.calls().length;
      const stream = openStream(side.session, { path: ISSUE, headers: { ...GRPC, 'grpc-timeout': '100m' } });
      const answered = answerOf(stream);
      const whole = frame(message('x'.repeat(1000)));
      let at = 0;
      const timer = setInterval(() => stream.write(whole.subarray(at, ++at)), 5);
      const answer = await answered;
      clearInterval(timer);
      return { answer, events: await eventsSince(side, before) };
    };
    const [lean, connect] = await Promise.all(willing.transports.both.map(trickle));
    expect(lean).toEqual(connect);
    expect(lean?.events).toMatchObject([{ reason: 'DEADLINE_EXCEEDED' }]);
  });
});
