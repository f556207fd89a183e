// Legal claim sets of all shapes, of both drafts.

import type { Claims } from '../../src/token/index.ts';
import { LAST_SECOND } from '../../src/token/seconds.ts';
import { fc } from '../support/random.ts';
import { AUD, NOW } from '../support/tokens.ts';

export const uuids = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((octets) => Buffer.from(octets).toString('hex'))
  .map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')) as fc.Arbitrary<Claims['jti']>;

/** Texts of whole characters, without controls. */
const texts = (maxLength: number) =>
  fc.string({ unit: 'binary', minLength: 1, maxLength }).filter((value) => !/[\p{Cc}\p{Cs}]/u.test(value));

const hashes = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((octets) => Buffer.from(octets).toString('base64url'));

export const uris = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9+.-]{0,8}$/),
    fc.stringMatching(/^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]{1,60}$/),
  )
  .map(([scheme, rest]) => `${scheme}:${rest}`);

type Json = NonNullable<Claims['ect_ext']>;

/** JSON objects as they come out of JSON.parse: no -0, no lone surrogates, no NUL. */
export const jsonObjects = (depth: number): fc.Arbitrary<Json> =>
  fc
    .dictionary(texts(20), fc.jsonValue({ maxDepth: depth - 1 }), { maxKeys: 6, noNullPrototype: true })
    .map((value) => JSON.stringify(value))
    .filter((json) => json.length < 1000 && json.isWellFormed() && !/\\u(?:0000|d[89a-f])/i.test(json))
    .map((json) => JSON.parse(json) as Json)
    .filter((value) => !Object.keys(value).some((name) => /^(?:pol|pol_.*|compensation_.*)$/.test(name)));

/** Policy claims by their names in a token. */
const policies = fc.oneof(
  fc.constant({}),
  fc
    .record(
      {
        pol: texts(30),
        pol_decision: fc.constantFrom('approved', 'rejected', 'pending_human_review'),
        pol_enforcer: uris,
        pol_timestamp: fc.nat({ max: LAST_SECOND }),
        compensation_required: fc.boolean(),
        compensation_reason: texts(30),
      },
      { requiredKeys: ['pol', 'pol_decision'], noNullPrototype: true },
    )
    .map((policy) => ({ ...policy })),
);

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** A legal payload of draft -01 as it stands in a token, for AUD, alive and fresh at NOW. */
export type Payload = Readonly<Record<string, unknown>> & {
  readonly iat: number;
  readonly exp: number;
  readonly pred: readonly string[];
};

/** Payloads of tokens whose issuer is one of `issuers`. What is undefined is absent. */
export const payloads = (issuers: fc.Arbitrary<string>): fc.Arbitrary<Payload> =>
  fc
    .record({
      iss: issuers,
      aud: fc.oneof(
        fc.constant(AUD),
        fc.tuple(fc.array(texts(60), { maxLength: 4 }), fc.nat(4)).map(([others, at]) => others.toSpliced(at, 0, AUD)),
      ),
      age: fc.integer({ min: -30, max: 900 }),
      life: fc.integer({ min: 901, max: 86_400 }),
      jti: uuids,
      wid: optional(uuids),
      exec_act: texts(120),
      pred: fc.uniqueArray(uuids, { maxLength: 8 }),
      inp_hash: optional(hashes),
      out_hash: optional(hashes),
      ext: optional(jsonObjects(4)),
      policy: policies,
      others: fc.dictionary(fc.stringMatching(/^com\.example\.[a-z]{1,6}$/), fc.jsonValue(), { maxKeys: 2 }),
    })
    .filter(({ pred, jti }) => !pred.includes(jti))
    .map(({ age, life, ext, policy, others, ...claims }) => {
      const hasExt = ext !== undefined || Object.keys(policy).length > 0;
      const times = { iat: NOW - age, exp: NOW - age + life };
      return { ...claims, ...times, ...(hasExt ? { ect_ext: { ...ext, ...policy } } : {}), ...wellFormed(others) };
    });

function wellFormed(others: object): object {
  const json = JSON.stringify(others);
  return json.length > 2000 || /\\u(?:0000|d[89a-f])/i.test(json) ? {} : (JSON.parse(json) as object);
}
