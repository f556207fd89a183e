// Tokens of draft -00, tokens that mix the spellings of both drafts, and verifiers that read one of them only.

import { createHash } from 'node:crypto';
import { invalid, type Making, valid } from './collect.ts';
import { ISS } from './keys.ts';
import {
  encode,
  header,
  JTI,
  NOW,
  nest,
  OTHER_JTI,
  payload,
  signParts,
  TEST_HASH,
  THIRD_JTI,
  token,
  uuidOf,
  WID,
} from './token.ts';

const { pred: _, ...older } = payload;

/** A token of -00: the older type, and `par` where -01 has `pred`. */
function token00(claims: object = {}): string {
  return signParts({ ...header, typ: 'wimse-exec+jwt' }, { ...older, par: [], ...claims });
}

/** A valid one. `read` says how its claims are read, where that is not how they are written. */
function valid00(
  name: string,
  shows: string,
  claims: Making['claims'] = {},
  read: Making['read'] = {},
  profile = 'default',
) {
  const known = { pred: claims['par'] ?? [], ect_ext: claims['ext'], ...read };
  const write = ({ pred: __, ...own }: Readonly<Record<string, unknown>>) => token00(own);
  valid(`draft-00/${name}`, shows, { claims, read: known, write }, { profile });
}

const sha = (name: string) => createHash(name).update('test').digest('base64url');
const approved = { pol: 'policy_v1', pol_decision: 'approved' };

valid00('root-task', 'A root task of -00 has an empty par.', { jti: JTI });
valid00(
  'fan-in',
  'par of -00 is read as pred, ext as ect_ext, and the policy claims stand at the top level.',
  {
    wid: WID,
    par: [OTHER_JTI, THIRD_JTI],
    ext: { 'com.example.cost': 1 },
    ...approved,
    pol_enforcer: 'spiffe://example.com/gate',
    inp_hash: `sha-256:${TEST_HASH}`,
  },
  { policy: { ...approved, pol_enforcer: 'spiffe://example.com/gate' }, inp_hash: TEST_HASH },
);
valid00('hash-without-name', 'A hash of -00 may go without the name of its algorithm.', { out_hash: TEST_HASH });
valid00('hash-of-sha-384', 'A hash of -00 may be a SHA-384.', { out_hash: `sha-384:${sha('sha384')}` });
valid00('hash-of-sha-512', 'A hash of -00 may be a SHA-512.', { inp_hash: `sha-512:${sha('sha512')}` });
valid00('sub-that-is-iss', 'sub of -00 may repeat the issuer.', { sub: ISS });
valid00(
  'rejected',
  'A policy may have rejected a task of -00.',
  { pol: 'p', pol_decision: 'rejected' },
  { policy: { pol: 'p', pol_decision: 'rejected' } },
);
valid00(
  'timestamp',
  'pol_timestamp of -00 stands at the top level.',
  { ...approved, pol_timestamp: NOW },
  { policy: { ...approved, pol_timestamp: NOW } },
);
valid00(
  'compensation-in-ext',
  'Compensation claims of -00 may stand in ext.',
  { ext: { compensation_required: true, compensation_reason: 'undone' } },
  { policy: { compensation_required: true, compensation_reason: 'undone' } },
);
valid00('unknown-claims', 'Unknown claims of -00 are ignored.', { 'com.example.x': [1] });
valid00('hundred-predecessors', 'par may have 100 entries.', {
  par: Array.from({ length: 100 }, (__, at) => uuidOf(`par ${at}`)),
});

const bad00 = (name: string, shows: string, claims: object, reason: string, step = 'claims') =>
  invalid(`draft-00/${name}`, shows, token00(claims), reason, { step });
bad00(
  'par-missing',
  'par is required: without it the token is read as one of -01 that has no pred.',
  { par: undefined },
  'CLAIM_MISSING pred',
);
bad00('par-no-list', 'par is a list.', { par: OTHER_JTI }, 'PRED_INVALID');
bad00('par-duplicate', 'par names a task once.', { par: [OTHER_JTI, OTHER_JTI] }, 'PRED_INVALID', 'formats');
bad00('par-itself', 'par never names the task itself.', { par: [JTI] }, 'PRED_INVALID', 'formats');
bad00(
  'par-of-101-entries',
  'par has at most 100 entries.',
  { par: Array.from({ length: 101 }, (__, at) => uuidOf(`par ${at}`)) },
  'PRED_INVALID',
  'formats',
);
bad00('ext-no-object', 'ext is an object.', { ext: [] }, 'CLAIM_INVALID ext');
bad00(
  'ext-of-4097-bytes',
  'ext has at most 4,096 bytes.',
  { ext: { a: 'x'.repeat(4089) } },
  'EXT_TOO_LARGE',
  'formats',
);
bad00('ext-6-deep', 'ext is nested at most 5 deep.', { ext: JSON.parse(nest(6)) }, 'EXT_TOO_DEEP', 'formats');
bad00(
  'sub-that-is-not-iss',
  'sub of -00 is the issuer or nobody.',
  { sub: 'spiffe://example.com/agent/x' },
  'CLAIM_INVALID sub',
);
bad00('pol-alone', 'pol of -00 does not stand without pol_decision.', { pol: 'p' }, 'CLAIM_INVALID pol_decision');
bad00(
  'pol_decision-alone',
  'pol_decision of -00 does not stand without pol.',
  { pol_decision: 'approved' },
  'CLAIM_INVALID pol',
);
bad00(
  'pol_decision-unknown',
  'A decision of -00 is one of three.',
  { pol: 'p', pol_decision: 'maybe' },
  'CLAIM_INVALID pol_decision',
);
bad00('pol-in-ext', 'pol of -00 stands at the top level, and nowhere else.', { ext: approved }, 'CLAIM_INVALID pol');
bad00(
  'compensation-in-two-places',
  'Two readers must not read two answers.',
  { compensation_required: true, ext: { compensation_required: false } },
  'CLAIM_INVALID compensation_required',
);
bad00(
  'hash-name-in-capitals',
  'The name of a hash is in lower case.',
  { inp_hash: `SHA-256:${TEST_HASH}` },
  'CLAIM_INVALID inp_hash',
  'formats',
);
bad00(
  'hash-of-sha-1',
  'A hash of -00 is no SHA-1.',
  { inp_hash: `sha-1:${sha('sha1')}` },
  'CLAIM_INVALID inp_hash',
  'formats',
);
bad00(
  'hash-too-short-for-its-name',
  'A SHA-384 has 48 octets.',
  { out_hash: `sha-384:${TEST_HASH}` },
  'CLAIM_INVALID out_hash',
  'formats',
);
bad00(
  'hash-too-long-for-its-name',
  'A SHA-256 has 32 octets.',
  { out_hash: `sha-256:${sha('sha384')}` },
  'CLAIM_INVALID out_hash',
  'formats',
);
bad00(
  'hash-named-twice',
  'A hash has one name.',
  { out_hash: `sha-256:sha-256:${TEST_HASH}` },
  'CLAIM_INVALID out_hash',
  'formats',
);
bad00('hash-of-nothing', 'A name is no hash.', { out_hash: 'sha-256:' }, 'CLAIM_INVALID out_hash', 'formats');

// Mixtures.
bad00('with-pred', 'A token has par or pred, not both.', { pred: [] }, 'CLAIM_INVALID par');
bad00('with-ect_ext', 'A token of -00 has no ect_ext.', { ect_ext: {} }, 'CLAIM_INVALID par');
bad00('pred-with-ext', 'A token of -01 has no ext.', { par: undefined, pred: [], ext: {} }, 'CLAIM_INVALID ext');
bad00(
  'pred-with-pol',
  'A token of -01 has its policy claims in ect_ext.',
  { par: undefined, pred: [], ...approved },
  'CLAIM_INVALID pol',
);
invalid(
  'draft-00/par-under-the-newer-type',
  'par does not stand under the type of -01.',
  token({ pred: undefined, par: [] }),
  'CLAIM_INVALID par',
  { step: 'claims' },
);
invalid(
  'draft-00/both-under-the-newer-type',
  'par does not stand beside pred under the type of -01.',
  token({ par: [] }),
  'CLAIM_INVALID par',
  { step: 'claims' },
);
invalid(
  'draft-00/ext-under-the-newer-type',
  'ext does not stand under the type of -01.',
  token({ ext: {} }),
  'CLAIM_INVALID ext',
  { step: 'claims' },
);
invalid(
  'draft-00/pol-under-the-newer-type',
  'pol does not stand at the top level under the type of -01.',
  token({ ...approved }),
  'CLAIM_INVALID pol',
  { step: 'claims' },
);
invalid(
  'draft-00/hash-name-in-draft-01',
  'A hash of -01 has no name before it.',
  token({ inp_hash: `sha-256:${TEST_HASH}` }),
  'CLAIM_INVALID inp_hash',
  { step: 'formats' },
);

// One draft only.
const [only00, only01] = ['draft-00-only', 'draft-01-only'];
valid00('alone', 'A verifier of -00 reads tokens of -00.', {}, {}, only00);
invalid('draft-00/newer-type-where-alone', 'A verifier of -00 does not know the type of -01.', token(), 'TYP_INVALID', {
  profile: only00,
});
invalid(
  'draft-00/pred-where-alone',
  'A verifier of -00 does not read pred.',
  token({}, { typ: 'wimse-exec+jwt' }),
  'CLAIM_INVALID pred',
  { step: 'claims', profile: only00 },
);
invalid(
  'draft-00/par-missing-where-alone',
  'A verifier of -00 misses par.',
  token00({ par: undefined }),
  'CLAIM_MISSING par',
  { profile: only00 },
);
invalid(
  'draft-00/unsigned-where-alone',
  'Draft -00 has no unsigned objects.',
  encode({ ...older, par: [] }),
  'LEVEL_TOO_LOW',
  { profile: only00 },
);
valid('draft-01-alone/newer-type', 'A verifier of -01 reads tokens of -01.', {}, { profile: only01 });
valid(
  'draft-01-alone/older-type',
  'A verifier of -01 reads tokens of -01 under the older type too.',
  { members: { typ: 'wimse-exec+jwt' } },
  { profile: only01 },
);
invalid('draft-01-alone/par', 'A verifier of -01 does not read par.', token00(), 'CLAIM_INVALID par', {
  step: 'claims',
  profile: only01,
});
invalid(
  'draft-01-alone/pol',
  'A verifier of -01 does not read pol at the top level.',
  token({ ...approved }, { typ: 'wimse-exec+jwt' }),
  'CLAIM_INVALID pol',
  { step: 'claims', profile: only01 },
);
