import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { KeyRing } from '../../src/keys/index.ts';
import { LocalSigner } from '../../src/signers/local/index.ts';
import { type Claims, mintUnsigned, parseStrictObject, verifyToken } from '../../src/token/index.ts';
import { spell, spellings } from '../fuzz/spellings.ts';
import { rounds } from '../support/full.ts';
import { mintToken } from '../support/mint.ts';
import { fc } from '../support/random.ts';
import { NOW, policy } from '../support/tokens.ts';

const until = { signal: new AbortController().signal };
let signer: LocalSigner;
let keys: KeyRing;
beforeAll(async () => {
  signer = await LocalSigner.open(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  keys = new KeyRing([{ kid: signer.jwk.kid, publicKey: signer.publicKey, speaksFor: () => true }]);
});

function verdictOn(token: string, now = NOW) {
  return verifyToken(token, { now, purpose: 'presented' }, policy, keys);
}

const uuid = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((octets) => Buffer.from(octets).toString('hex'))
  .map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')) as fc.Arbitrary<Claims['jti']>;
/** Texts of whole characters, without controls. */
const text = (maxLength: number) =>
  fc.string({ unit: 'binary', minLength: 1, maxLength }).filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((octets) => Buffer.from(octets).toString('base64url'));
const uri = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9+.-]{0,8}$/),
    fc.stringMatching(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]{1,60}$/),
  )
  .map(([scheme, rest]) => `${scheme}:${rest}`);
/** JSON objects as they come out of JSON.parse: no -0, no lone surrogates, no NUL. */
const jsonObject = (depth: number) =>
  fc
    .dictionary(text(20), fc.jsonValue({ maxDepth: depth - 1 }), { maxKeys: 6, noNullPrototype: true })
    .map((value) => JSON.stringify(value))
    .filter((json) => json.isWellFormed() && !/\\u(?:0000|d[89a-f])/i.test(json))
    .map((json) => JSON.parse(json) as NonNullable<Claims['ect_ext']>);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: '' as const });

const claimSets: fc.Arbitrary<Claims> = fc
  .record({
    iss: uri,
    aud: fc.array(text(60), { minLength: 1, maxLength: 5 }),
    age: fc.integer({ min: -30, max: 900 }),
    life: fc.integer({ min: 901, max: 86_400 }),
    jti: uuid,
    wid: optional(uuid),
    exec_act: text(120),
    pred: fc.uniqueArray(uuid, { maxLength: 8 }),
    inp_hash: optional(hash),
    out_hash: optional(hash),
    ect_ext: fc.option(jsonObject(4), { nil: undefined }),
  })
  .filter(({ pred, jti, ect_ext }) => !pred.includes(jti) && JSON.stringify(ect_ext ?? 0).length < 1000)
  .map(({ age, life, ...claims }) => ({ ...claims, policy: undefined, iat: NOW - age, exp: NOW - age + life }));

async function mint(claims: Claims, draft: '00' | '01' = '01'): Promise<string> {
  return mintToken(claims, extTextOf(claims), signer, policy.maxTokenBytes, until, draft);
}

function extTextOf({ ect_ext }: Claims): string | undefined {
  return ect_ext === undefined ? undefined : JSON.stringify(ect_ext);
}

describe('tokens', () => {
  test('every legal claim set that is minted verifies and comes out equal', async () => {
    await fc.assert(
      fc.asyncProperty(claimSets, async (claims) => {
        const verdict = verdictOn(await mint(claims));
        expect(verdict.ok ? verdict.token.claims : verdict.rejection).toEqual(claims);
      }),
      { numRuns: rounds(500, 150) },
    );
  });

  test('it does so in the older draft too, and as an unsigned object', async () => {
    await fc.assert(
      fc.asyncProperty(claimSets, async (claims) => {
        const older = verdictOn(await mint(claims, '00'));
        expect(older).toMatchObject({ ok: true, token: { draft: '00' } });
        expect(older.token?.claims).toEqual(claims);
        const text = mintUnsigned(claims, extTextOf(claims), policy.maxTokenBytes);
        const l1 = { ...policy, minimumLevel: 'L1' } as const;
        const unsigned = verifyToken(text, { now: NOW, purpose: 'presented' }, l1, keys);
        expect(unsigned).toMatchObject({ ok: true, token: { level: 'L1', kid: '' } });
        expect(unsigned.token?.claims).toEqual(claims);
        expect(verdictOn(text)).toMatchObject({ ok: false, rejection: { reason: 'LEVEL_TOO_LOW' }, token: undefined });
      }),
      { numRuns: 300 },
    );
  });

  test('T25: parts of good tokens do not verify in any other combination', async () => {
    const parts = (await Promise.all(fc.sample(claimSets, 12).map((claims) => mint(claims)))).map((token) =>
      token.split('.'),
    );
    for (const [at, [header, payload]] of parts.entries()) {
      for (const [to, [, , signature]] of parts.entries()) {
        expect(verdictOn(`${header}.${payload}.${signature}`).ok).toBe(at === to);
      }
    }
  });

  test('any text at all is answered by a verdict', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({
        unit: fc.constantFrom('.', 'e', '3', '0', '=', '{', '}', '"', ' ', '-', '_', '\u0000'),
        maxLength: 40,
      }),
      fc.array(fc.base64String({ maxLength: 60 }), { minLength: 3, maxLength: 3 }).map((three) => three.join('.')),
      fc
        .tuple(fc.json(), fc.json())
        .map((two) => `${two.map((part) => Buffer.from(part).toString('base64url')).join('.')}.`),
    );
    fc.assert(
      fc.property(anything, (token) => {
        expect(verdictOn(token).ok).toBe(false);
      }),
      { numRuns: rounds(3_000, 1_000) },
    );
  });
});

describe('strict JSON', () => {
  test('every object without a fault is read as it is, in any spelling', () => {
    fc.assert(
      fc.property(jsonObject(6), spellings, (value, spelling) => {
        const read = parseStrictObject(spell(value, spelling));
        expect(read.ok ? read.value : read.fault).toEqual(value);
      }),
      { numRuns: rounds(1_000, 300) },
    );
  });

  test('T12: a member that is there twice is rejected, at any depth, in any order and spelling', () => {
    const kinds = fc.array(fc.constantFrom('object', 'array'), { maxLength: 6 });
    fc.assert(
      fc.property(
        jsonObject(3),
        jsonObject(2),
        kinds,
        fc.nat(),
        fc.boolean(),
        (value, other, nesting, pick, isEscaped) => {
          const members = Object.entries({ ...value, last: 0 });
          const written = members.map(([name, item]) => `${JSON.stringify(name)}:${JSON.stringify(item)}`);
          const [name] = members[pick % members.length]!;
          written.splice(
            pick % (written.length + 1),
            0,
            `${spell(name, { blank: '', isEscaped })}:${JSON.stringify(other)}`,
          );
          const twice = `{${written.join(',')}}`;
          const wrapped = nesting.reduce((inner, kind) => (kind === 'array' ? `[${inner}]` : `{"in":${inner}}`), twice);
          expect(parseStrictObject(`{"out":${wrapped}}`)).toEqual({ ok: false, fault: 'it has a duplicate member' });
        },
      ),
      { numRuns: rounds(1_000, 300) },
    );
  });

  test('what JSON.parse rejects is rejected, and what is read is what JSON.parse reads', () => {
    const near = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.nat(), fc.string({ unit: 'binary-ascii', maxLength: 2 }))
      .map(([json, from, length, insert]) => {
        const object = `{"a":${json}}`;
        const at = from % (object.length + 1);
        return object.slice(0, at) + insert + object.slice(at + (length % 3));
      });
    const pieces = '{ } [ ] : , " "a" "b" 1 - . e true null \\ u0061'.split(' ');
    const grammar = fc.array(fc.constantFrom(...pieces, ' '), { maxLength: 12 }).map((some) => some.join(''));
    let readable = 0;
    fc.assert(
      fc.property(fc.oneof(near, grammar, fc.string({ unit: 'binary', maxLength: 40 })), (json) => {
        const read = parseStrictObject(json);
        if (!read.ok) return;
        readable++;
        expect(read.value).toEqual(JSON.parse(json));
        expect(Array.isArray(read.value)).toBe(false);
      }),
      { numRuns: rounds(5_000, 1_500) },
    );
    expect(readable).toBeGreaterThan(100);
  });
});
