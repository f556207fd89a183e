// What the answers of Redis mean: a reason and a sentence of ours, whether the connection goes on, and nothing that was secret.

import { describe, expect, test } from 'vitest';
import { EctError } from '../../../src/errors.ts';
import {
  connectFailure,
  endsConnection,
  RedisAway,
  translated,
  UnfitRedis,
} from '../../../src/stores/redis/failures.ts';

/** As the driver makes it: with the command, in which a password may be. */
function answer(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return Object.assign(error, { command: { name: 'hello', args: ['3', 'AUTH', 'default', 'CANARY'] } });
}

describe('L23: an answer of the server', () => {
  test.each<[string, string, boolean]>([
    ["READONLY You can't write against a read only replica.", 'is a replica now', true],
    ['LOADING Redis is loading the dataset in memory', 'is loading', true],
    ['MASTERDOWN Link with MASTER is down', 'lost its master', true],
    ['MOVED 3999 127.0.0.1:6381', 'has changed', true],
    ['CLUSTERDOWN Hash slot not served', 'cluster of Redis is down', true],
    ['NOAUTH Authentication required.', 'wants a password', true],
    ['MISCONF Redis is configured to save RDB snapshots', 'to the disk', false],
    ['NOREPLICAS Not enough good replicas to write.', 'min-replicas-to-write', false],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'has not the rights', false],
    ['BUSY Redis is busy running a script.', 'busy', false],
    ['ERR user_script:9: attempt to compare nil with number', 'does not do what', false],
  ])('%s', (message, sentence, isOver) => {
    const error = answer(message);
    const failure = translated(error);
    expect(failure).toMatchObject({ reason: 'REPLAY_GUARD_UNAVAILABLE', message: expect.stringContaining(sentence) });
    expect(endsConnection(error)).toBe(isOver);
    expect(JSON.stringify((failure as EctError).cause, ['message', 'command', 'args', 'name'])).not.toContain('CANARY');
    expect((failure as EctError).cause).not.toHaveProperty('command');
  });

  test('that its memory is full is another reason, and the connection goes on', () => {
    const full = answer("OOM command not allowed when used memory > 'maxmemory'.");
    expect(translated(full)).toMatchObject({ reason: 'REPLAY_GUARD_FULL' });
    expect(endsConnection(full)).toBe(false);
  });
});

describe('L23: what a connection fails by', () => {
  test('is for an operator where retrying does not help', () => {
    const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
    for (const error of [
      answer('WRONGPASS invalid username-password pair or user is disabled.'),
      answer('NOAUTH HELLO must be called with the client already authenticated'),
      answer('ERR DB index is out of range'),
      expired,
    ]) {
      expect(connectFailure(error)).toBeInstanceOf(UnfitRedis);
      expect(connectFailure(error)).not.toHaveProperty('cause.command');
    }
  });

  test('is tried again otherwise, with what the system said', () => {
    const rejected = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
    for (const error of [rejected, new AggregateError([rejected, rejected], '')]) {
      const failure = connectFailure(error);
      expect(failure).toBeInstanceOf(RedisAway);
      expect(failure.cause).toMatchObject({ message: rejected.message, code: 'ECONNREFUSED' });
    }
    expect(connectFailure(answer('LOADING Redis is loading'))).toMatchObject({ message: 'Redis is loading its data.' });
  });
});

test('a rejection and a bug of ours stay what they are', () => {
  const bug = new TypeError('x');
  expect(translated(bug)).toBe(bug);
  const rejection = new EctError({ reason: 'CLOCK_UNTRUSTED', message: 'x', metadata: {} });
  expect(translated(rejection)).toBe(rejection);
});
