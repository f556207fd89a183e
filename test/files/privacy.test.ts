// S4 S11: which secrets may be read, by owner, mode and user: the whole matrix.

import { describe, expect, test } from 'vitest';
import { privacyOf } from '../../src/files/privacy.ts';

const [ROOT, US, OTHER] = [0, 1000, 2000];
const kindOf = (mode: number, owner: number, user: number, isOurs: boolean) =>
  privacyOf({ mode: 0o100_000 | mode, uid: owner }, user, isOurs).kind;
const ANY = [ROOT, US, OTHER];

describe('a file with a secret', () => {
  test('S4 that only its owner can use is private', () => {
    for (const mode of [0o600, 0o400, 0o700])
      for (const owner of ANY) expect(kindOf(mode, owner, US, false)).toBe('private');
  });

  test('S4 that all users can use in any way is rejected, whichever user owns it', () => {
    for (const bits of [0o001, 0o002, 0o004, 0o006, 0o044, 0o066]) {
      for (const owner of ANY) {
        for (const user of [ROOT, US]) {
          for (const isOurs of [true, false]) expect(kindOf(0o600 | bits, owner, user, isOurs)).toBe('open');
        }
      }
    }
  });

  test.each([
    ['made by the service, of this user: as fsGroup leaves it', 0o660, US, US, true, 'tighten'],
    ['made by the service, of another user, read by root', 0o660, US, ROOT, true, 'tighten'],
    ['made by the service, of another user', 0o660, OTHER, US, true, 'open'],
    ['of the operator, of this user', 0o640, US, US, false, 'tighten'],
    ['of the operator, of root, as a secret is mounted', 0o440, ROOT, US, false, 'private'],
    ['of the operator, of root, in the manner of /etc', 0o640, ROOT, US, false, 'private'],
    ['of root, and the group may write it', 0o660, ROOT, US, false, 'open'],
    ['of root, and the group may run it', 0o650, ROOT, US, false, 'open'],
    ['of the operator, of another user', 0o640, OTHER, US, false, 'open'],
    ['of the operator, of another user, read by root', 0o640, OTHER, ROOT, false, 'open'],
  ] as const)('S11 that its group can use: %s', (_what, mode, owner, user, isOurs, kind) => {
    expect(kindOf(mode, owner, user, isOurs)).toBe(kind);
  });

  test('S11 of somebody else is rejected with who owns it and who asks', () => {
    expect(privacyOf({ mode: 0o640, uid: OTHER }, US, true)).toEqual({
      kind: 'open',
      fault:
        'can be read by its group, and belongs to user 2000, not to user 1000 who runs the service: run chmod 600 on it, and chown 1000',
    });
  });
});
