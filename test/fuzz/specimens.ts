// Legal tokens of all shapes: a claim set in either draft, in any spelling, signed or not.

import { sign } from 'node:crypto';
import { fc } from '../support/random.ts';
import { encode, ISS, KID, signingKey } from '../support/tokens.ts';
import { type Payload, payloads } from './claim-sets.ts';
import { type Spelling, spell, spellings } from './spellings.ts';

/** A token, and the claims of draft -01 that it must be read as. */
export interface Specimen {
  readonly token: string;
  readonly level: 'L1' | 'L2';
  readonly draft: '00' | '01';
  readonly payload: Payload;
}

/** What a token looks like, beside what it says. */
interface Shape {
  readonly draft: Specimen['draft'];
  readonly level: Specimen['level'];
  readonly typ: string;
  /** Of an unsigned object: whether it is base64url. */
  readonly isEncoded: boolean;
  readonly header: Spelling;
  readonly payload: Spelling;
  /** Turns the order of members. */
  readonly isReversed: boolean;
  /** The hashes of -00 may have a name before them. */
  readonly hashName: '' | 'sha-256:';
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    kind: fc.constantFrom('01', '01 older typ', '00', 'unsigned', 'unsigned base64url'),
    header: spellings,
    payload: spellings,
    isReversed: fc.boolean(),
    hashName: fc.constantFrom('' as const, 'sha-256:' as const),
  })
  .map(({ kind, ...others }) => ({
    ...others,
    draft: kind === '00' ? '00' : '01',
    level: kind.startsWith('unsigned') ? 'L1' : 'L2',
    isEncoded: kind === 'unsigned base64url',
    typ: kind === '01' ? 'exec+jwt' : 'wimse-exec+jwt',
  }));

/** Legal tokens under the key of the tests. */
export const specimens: fc.Arbitrary<Specimen> = fc
  .tuple(payloads(fc.constant(ISS)), shapes)
  .map(([payload, shape]) => makeSpecimen(payload, shape))
  .filter(({ token }) => token.length <= 16_384);

function makeSpecimen(payload: Payload, shape: Shape): Specimen {
  const { level, draft } = shape;
  const members = Object.entries(draft === '00' ? asOlder(payload, shape.hashName) : payload);
  const text = spell(Object.fromEntries(shape.isReversed ? members.toReversed() : members), shape.payload);
  if (level === 'L1') return { token: writeUnsigned(text, shape), level, draft, payload };
  const header = spell({ alg: 'ES256', typ: shape.typ, kid: KID }, shape.header);
  return { token: signText(header, text), level, draft, payload };
}

/** Two parts with a good signature, high or low as it comes. */
export function signText(header: string, payload: string): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const signature = sign('sha256', Buffer.from(input), { key: signingKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

/** The same claims in the names and places of draft -00. */
function asOlder({ pred, ect_ext: ext, inp_hash, out_hash, ...others }: Payload, hashName: string): object {
  const named = (hash: unknown) => (typeof hash === 'string' ? hashName + hash : undefined);
  const members = Object.entries((ext ?? {}) as object);
  const isLifted = ([name]: readonly [string, unknown]) => /^pol(?:_decision|_enforcer|_timestamp)?$/.test(name);
  const rest = Object.fromEntries(members.filter((member) => !isLifted(member)));
  const lifted = Object.fromEntries(members.filter(isLifted));
  const older = { ...others, par: pred, inp_hash: named(inp_hash), out_hash: named(out_hash), ...lifted };
  return ext === undefined ? older : { ...older, ext: rest };
}

/** As JSON, or as base64url; always that where the JSON has two dots, with which it would be taken for a signed token. */
function writeUnsigned(text: string, { isEncoded }: Shape): string {
  const hasTwoDots = text.split('.').length === 3;
  return hasTwoDots || isEncoded ? encode(text) : text;
}
