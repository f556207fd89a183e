import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { KeyRing, type TrustedKey } from '../../src/keys/index.ts';

function keyOf(kid: string, ...issuers: readonly string[]): TrustedKey {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, publicKey, speaksFor: (iss) => issuers.includes(iss) };
}

test('a key is found by its kid for an issuer that it speaks for', () => {
  const key = keyOf('one', 'urn:a', 'urn:b');
  const ring = new KeyRing([keyOf('two', 'urn:a'), key]);
  expect(ring.find('one', 'urn:a')).toBe(key);
  expect(ring.find('one', 'urn:b')).toBe(key);
});

test('T20: of two keys of one name the one that speaks for the issuer is found, in either order', () => {
  const [ours, theirs] = [keyOf('same', 'urn:ours'), keyOf('same', 'urn:theirs')];
  for (const ring of [new KeyRing([ours, theirs]), new KeyRing([theirs, ours])]) {
    expect(ring.find('same', 'urn:ours')).toBe(ours);
    expect(ring.find('same', 'urn:theirs')).toBe(theirs);
  }
});

test('T20: where no key of that name speaks for the issuer, the one that is found does not either', () => {
  const found = new KeyRing([keyOf('one', 'urn:a')]).find('one', 'urn:b');
  expect(found?.speaksFor('urn:b')).toBe(false);
});

test('K5: during a rotation both keys of an issuer are found, each by its own kid', () => {
  const [old, fresh] = [keyOf('old', 'urn:a'), keyOf('fresh', 'urn:a')];
  const ring = new KeyRing([old, fresh]);
  expect(ring.find('old', 'urn:a')).toBe(old);
  expect(ring.find('fresh', 'urn:a')).toBe(fresh);
});

test.each(['', 'ONE', 'one ', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
  'T7, T22: kid %j names no key',
  (kid) => {
    expect(new KeyRing([keyOf('one', 'urn:a')]).find(kid, 'urn:a')).toBeUndefined();
    expect(new KeyRing([]).find(kid, 'urn:a')).toBeUndefined();
  },
);

test('T22: a key may bear a name that every object has', () => {
  const key = keyOf('__proto__', 'urn:a');
  expect(new KeyRing([key]).find('__proto__', 'urn:a')).toBe(key);
  expect(new KeyRing([key]).find('constructor', 'urn:a')).toBeUndefined();
});

test('a ring does not change with the list that it was made from', () => {
  const list = [keyOf('one', 'urn:a')];
  const ring = new KeyRing(list);
  list.push(keyOf('two', 'urn:a'));
  expect(ring.find('two', 'urn:a')).toBeUndefined();
});

test('T20: of two keys of one name that both speak for an issuer the first one counts: ours stand in front of foreign ones', () => {
  const [ours, theirs] = [keyOf('same', 'urn:a'), keyOf('same', 'urn:a')];
  expect(new KeyRing([ours, theirs]).find('same', 'urn:a')).toBe(ours);
  expect(new KeyRing([theirs, ours]).find('same', 'urn:a')).toBe(theirs);
});

test('K11: a key outside the ring is found after it was recalled, until the ring is replaced', async () => {
  const past = keyOf('past', 'urn:a');
  const ring = new KeyRing([keyOf('one', 'urn:a')], async (kid) => (kid === 'past' ? past : undefined));
  expect(ring.find('past', 'urn:a')).toBeUndefined();
  expect([await ring.findPastKey('past'), await ring.findPastKey('none')]).toEqual([true, false]);
  expect(ring.find('past', 'urn:a')).toBe(past);
  ring.replace([]);
  expect(ring.find('past', 'urn:a')).toBeUndefined();
  expect(await new KeyRing([]).findPastKey('past')).toBe(false);
});

test('K11, T20: a key that was recalled is found for its issuer though another one took its name', async () => {
  const [past, theirs] = [keyOf('past', 'urn:a'), keyOf('past', 'urn:b')];
  const ring = new KeyRing([theirs], async () => past);
  expect(ring.find('past', 'urn:a')).toBe(theirs);
  expect([ring.holds('past', 'urn:a'), ring.holds('past', 'urn:b')]).toEqual([false, true]);
  await ring.findPastKey('past');
  expect(ring.find('past', 'urn:a')).toBe(past);
  expect(ring.find('past', 'urn:b')).toBe(theirs);
});

test('K9, K11: what was read of a key before the ring was replaced does not stand after it', async () => {
  const answers = [keyOf('past', 'urn:a'), { ...keyOf('past', 'urn:a'), revokedAt: 1 }];
  const ring: KeyRing = new KeyRing([], async () => {
    const answer = answers.shift();
    // It is revoked while it is being looked for.
    if (answer?.revokedAt === undefined) ring.replace([]);
    return answer;
  });
  expect(await ring.findPastKey('past')).toBe(true);
  expect(ring.find('past', 'urn:a')?.revokedAt).toBe(1);
});

test('K11: recalled keys are bounded, the oldest go first', async () => {
  const key = keyOf('any', 'urn:a');
  const ring = new KeyRing([], async (kid) => ({ ...key, kid }));
  for (let number = 0; number <= 1000; number++) await ring.findPastKey(`k${number}`);
  expect([ring.find('k0', 'urn:a'), ring.find('k1', 'urn:a')?.kid]).toEqual([undefined, 'k1']);
});
