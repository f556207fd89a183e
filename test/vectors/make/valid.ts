// Tokens of draft -01 that every verifier must accept.

import { valid } from './collect.ts';
import {
  agentAExpired,
  agentALongKid,
  agentANext,
  agentAOddKid,
  agentARevoked,
  agentC,
  ISS,
  ISS_C,
  ISS_ORG,
  ISS_URN,
  KEYS_CHANGE,
  organisation,
} from './keys.ts';
import {
  AUD,
  EMPTY_HASH,
  header,
  JTI,
  NOW,
  nest,
  OTHER_JTI,
  ofLength,
  signParts,
  TEST_HASH,
  THIRD_JTI,
  uuidOf,
  WID,
} from './token.ts';

// The envelope.
valid('root-task', 'A root task: the required claims and no predecessors.', { claims: { jti: JTI } });
valid('fan-in', 'A task of a workflow after two others, with hashes and a policy decision.', {
  claims: {
    wid: WID,
    pred: [OTHER_JTI, THIRD_JTI],
    inp_hash: EMPTY_HASH,
    out_hash: TEST_HASH,
    ect_ext: { pol: 'policy_v1', pol_decision: 'approved' },
  },
});
valid('header/older-typ', 'Verifiers of -01 accept the older type wimse-exec+jwt too.', {
  members: { typ: 'wimse-exec+jwt' },
});
valid('header/unknown-member', 'Unknown header members are ignored.', { members: { 'x-trace': 'abc' } });
valid('header/repeated-claims', 'A header may repeat claims as they are (RFC 7519, 5.3).', {
  write: (claims) => {
    const { iss, aud, exp, iat, jti, exec_act } = claims;
    return signParts({ ...header, iss, aud, exp, iat, jti, exec_act }, claims);
  },
});
valid('header/registered-elsewhere', 'Registered members that say nothing about keys or encodings are ignored.', {
  members: { nonce: 'n', url: 'https://127.0.0.1/acme', ppt: 'shaken', svt: ['e30.e30.'] },
});
valid('claims/nbf-now', 'A token is valid from the second of its nbf on.', { claims: { nbf: NOW } });
valid('claims/nbf-before-iat', 'nbf may lie before iat.', { claims: { nbf: NOW - 3600 } });
valid('claims/nbf-30-seconds-ahead', 'Clocks may differ by 30 s, for nbf as for iat.', { claims: { nbf: NOW + 30 } });
valid('claims/registered-elsewhere', 'Registered claims that an Execution Context Token does not define are ignored.', {
  claims: {
    sub: 'urn:x:user',
    cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' },
    act: { sub: 'urn:x:actor' },
    may_act: { sub: 'urn:x:actor' },
    scope: 'admin',
    client_id: 'c',
    events: {},
    txn: 't',
    auth_time: NOW,
    status: { status_list: { idx: 0, uri: 'https://127.0.0.1/status' } },
  },
});
valid('header/members-in-another-order', 'The order of header members means nothing.', {
  write: (claims) => signParts({ kid: header.kid, typ: header.typ, alg: header.alg }, claims),
});
valid('header/blanks-between-members', 'Blanks in the header are part of what was signed, and mean nothing.', {
  write: (claims) => signParts(JSON.stringify(header, null, 2), claims),
});
valid('header/escaped-member-name', 'A header member may be spelled with escapes, as long as it is there once.', {
  write: (claims) => signParts(`{"\\u0061lg":"ES256","typ":"exec\\u002bjwt","kid":"${header.kid}"}`, claims),
});
valid('header/kid-of-256-characters', 'A kid may have 256 characters.', { key: agentALongKid });
valid('header/odd-kid', 'A kid is a name and nothing else: neither a path nor a query.', { key: agentAOddKid });
valid(
  'header/kid-of-two-issuers',
  'Two issuers may have keys of one name: iss says whose is meant.',
  { claims: { iss: ISS_C }, key: agentC },
  { trusting: [ISS, ISS_C] },
);
valid('form/blanks-between-members', 'Blanks, tabs and line ends between members of the payload mean nothing.', {
  write: (claims) => signParts(header, `\r\n\t${JSON.stringify(claims, null, 2)} \n`),
});
valid('form/escaped-strings', 'Names and texts of the payload may be spelled with escapes.', {
  claims: { exec_act: 'a/b "c" \\ é 😀' },
  write: (claims) =>
    signParts(
      header,
      JSON.stringify(claims)
        .replace('"iss"', '"\\u0069ss"')
        .replace('a/b', 'a\\/b')
        .replace('é 😀', '\\u00e9 \\uD83D\\uDE00'),
    ),
});
valid('form/unescaped-unicode', 'Texts may hold any character of Unicode as it stands.', {
  claims: { exec_act: 'Prüfung 审查 مراجعة 😀' },
});
valid('form/nested-32-deep', 'JSON may be nested 32 deep where no rule says less.', {
  write: (claims) => signParts(header, JSON.stringify(claims).replace(/}$/, `,"x":${nest(31)}}`)),
});
valid('form/token-of-16384-characters', 'A token may have 16,384 characters.', {
  write: (claims) => ofLength(claims, 16_384),
});

// Keys that are in force at some times only.
valid(
  'key/in-its-last-second',
  'A key is in force in the second before it expires.',
  { key: agentAExpired },
  { now: KEYS_CHANGE - 1 },
);
valid(
  'key/in-its-first-second',
  'A key is in force from its first second on.',
  { key: agentANext },
  { now: KEYS_CHANGE },
);
valid(
  'key/before-it-was-revoked',
  'Evidence is judged as of its time: a key that was revoked later was good.',
  { key: agentARevoked },
  { now: KEYS_CHANGE - 1 },
);

// Signatures.
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
valid('signature/high-s', 'ECDSA is malleable: the twin with n - s verifies too, and is the same token.', {
  write: (claims) => {
    const token = signParts(header, claims);
    const at = token.lastIndexOf('.') + 1;
    const raw = Buffer.from(token.slice(at), 'base64url').toString('hex');
    const s = (order - BigInt(`0x${raw.slice(64)}`)).toString(16).padStart(64, '0');
    return token.slice(0, at) + Buffer.from(raw.slice(0, 64) + s, 'hex').toString('base64url');
  },
});
valid('signature/r-begins-with-zero', 'A number of a signature that begins with a zero octet keeps it.', {
  write: (claims) => signedUntil(claims, (raw) => raw[0] === 0),
});
valid('signature/s-begins-with-zero', 'The second number of a signature keeps its leading zero octet too.', {
  write: (claims) => signedUntil(claims, (raw) => raw[32] === 0),
});

// Issuer and audience.
valid(
  'iss/https-below-a-trusted-name',
  'A key that speaks for a name and what is below it speaks for a longer path.',
  { claims: { iss: `${ISS_ORG}/build/7` }, key: organisation },
  { trusting: [ISS_ORG] },
);
valid(
  'iss/https-itself',
  'A key that speaks for what is below a name speaks for the name itself.',
  { claims: { iss: ISS_ORG }, key: organisation },
  { trusting: [ISS_ORG] },
);
valid(
  'iss/urn',
  'An issuer may be any URI, a URN for one.',
  { claims: { iss: ISS_URN }, key: organisation },
  { trusting: [ISS_URN] },
);
valid(
  'iss/of-2048-bytes',
  'An issuer may have 2,048 bytes.',
  { claims: { iss: `${ISS_ORG}/${'a'.repeat(2047 - ISS_ORG.length)}` }, key: organisation },
  { trusting: [ISS_ORG] },
);
valid('aud/one-as-string', 'One audience may be written as a string.', { claims: { aud: AUD } });
valid('aud/last-of-three', 'It is enough that one of several audiences is the verifier.', {
  claims: { aud: ['urn:x:1', 'urn:x:2', AUD] },
});
valid('aud/64-entries', 'A token may name 64 audiences.', {
  claims: { aud: [...Array.from({ length: 63 }, (_, at) => `urn:x:${at}`), AUD] },
});
valid(
  'aud/no-uri',
  'An audience is a name: it need not be a URI.',
  { claims: { aud: ['reviewer'] } },
  { audience: 'reviewer' },
);
valid('aud/of-2048-bytes', 'An audience is measured in bytes: 1,024 characters of two bytes each are allowed.', {
  claims: { aud: ['é'.repeat(1024), AUD] },
});

// Times.
valid('time/iat-30-seconds-ahead', 'iat may be 30 s ahead.', { claims: { iat: NOW + 30, exp: NOW + 600 } });
valid('time/iat-900-seconds-ago', 'iat may be 900 s ago.', { claims: { iat: NOW - 900 } });
valid('time/exp-in-one-second', 'A token is alive one second before exp.', { claims: { exp: NOW + 1 } });
valid('time/lifetime-of-a-day', 'A token may live for 24 hours.', { claims: { exp: NOW + 86_400 } });
valid('time/iat-zero', 'Zero is a time.', { claims: { iat: 0, exp: 600 } }, { now: 10 });

// Ids.
valid('jti/nil', 'A UUID is its shape: the nil UUID is one.', {
  claims: { jti: '00000000-0000-0000-0000-000000000000' },
});
valid('jti/max', 'A UUID is its shape: version and variant are not looked at.', {
  claims: { jti: 'ffffffff-ffff-ffff-ffff-ffffffffffff' },
});
valid('jti/version-7', 'A UUID may be of version 7.', { claims: { jti: '019cb1e4-8a00-7abc-8def-0123456789ab' } });
valid('wid/root-of-a-workflow', 'A root task may begin a workflow.', { claims: { wid: WID } });
valid('wid/same-as-jti', 'Workflow and task may bear the same id.', { claims: { wid: JTI, jti: JTI } });
valid('pred/one', 'A task may have one predecessor.', { claims: { pred: [OTHER_JTI] } });
valid('pred/100-entries', 'A task may have 100 predecessors.', {
  claims: { pred: Array.from({ length: 100 }, (_, at) => uuidOf(`pred ${at}`)) },
});
valid('pred/without-workflow', 'A task without a workflow may have predecessors.', {
  claims: { pred: [OTHER_JTI, THIRD_JTI] },
});

// What was done.
valid('exec_act/of-256-characters', 'exec_act may have 256 characters.', { claims: { exec_act: 'a'.repeat(256) } });
valid('exec_act/of-256-emoji', 'Characters of exec_act are counted, not bytes and not UTF-16 units.', {
  claims: { exec_act: '😀'.repeat(256) },
});
valid('exec_act/one-character', 'exec_act may have one character.', { claims: { exec_act: 'x' } });
valid('exec_act/markup', 'exec_act is data: markup and quotes in it mean nothing.', {
  claims: { exec_act: `<script>alert("1")</script>'; --` },
});
valid('exec_act/name-of-a-built-in', 'exec_act may be a name that objects of some languages have.', {
  claims: { exec_act: '__proto__' },
});
valid('exec_act/blank', 'A blank is a character.', { claims: { exec_act: ' review  spec ' } });

// Hashes.
valid('hash/of-nothing', 'inp_hash may be the hash of no octets.', { claims: { inp_hash: EMPTY_HASH } });
valid('hash/output-alone', 'out_hash may be there without inp_hash.', { claims: { out_hash: TEST_HASH } });
valid('hash/all-zero', 'A hash is any 32 octets.', { claims: { inp_hash: 'A'.repeat(43) } });
valid('hash/with-both-special-characters', 'Base64url has - and _.', { claims: { out_hash: `${'-_'.repeat(21)}8` } });
valid(
  'hash/input-is-the-one',
  'The input that came along is the one that the token was issued for.',
  { claims: { inp_hash: TEST_HASH } },
  { inp_hash: TEST_HASH },
);
valid(
  'hash/output-is-the-one',
  'The output that came along is the one that the token was issued for.',
  { claims: { out_hash: EMPTY_HASH } },
  { out_hash: EMPTY_HASH },
);
valid(
  'hash/both-are-the-ones',
  'Input and output can be compared in one verification.',
  { claims: { inp_hash: TEST_HASH, out_hash: EMPTY_HASH } },
  { inp_hash: TEST_HASH, out_hash: EMPTY_HASH },
);

// The extension.
valid('ext/empty', 'ect_ext may be empty.', { claims: { ect_ext: {} } });
valid('ext/own-keys', 'Own keys bear reverse domain names.', {
  claims: { ect_ext: { 'com.example.cost': 1.5, 'org.example.tags': ['a', 'b'] } },
});
valid('ext/every-kind-of-value', 'ect_ext may hold every kind of JSON value.', {
  claims: { ect_ext: { a: null, b: true, c: false, d: 0, e: -1.5, f: '', g: [], h: {} } },
});
valid('ext/of-4096-bytes', 'ect_ext may have 4,096 bytes of compact JSON.', {
  claims: { ect_ext: { a: 'x'.repeat(4088) } },
});
valid('ext/of-4096-bytes-in-utf-8', 'ect_ext is measured in bytes of UTF-8, not in characters.', {
  claims: { ect_ext: { a: 'é'.repeat(2044) } },
});
valid('ext/blanks-do-not-count', 'Blanks between its members do not count towards the size of ect_ext.', {
  claims: { ect_ext: { a: 1 } },
  write: (claims) => signParts(header, JSON.stringify(claims).replace('{"a":1}', `{"a":${' '.repeat(4100)}1}`)),
});
valid('ext/escapes-do-not-count', 'The size of ect_ext is that of its shortest spelling.', {
  claims: { ect_ext: { a: 'x'.repeat(1000) } },
  write: (claims) => signParts(header, JSON.stringify(claims).replace('x'.repeat(1000), '\\u0078'.repeat(1000))),
});
valid('ext/5-objects-deep', 'ect_ext may be nested 5 deep, itself included.', {
  claims: { ect_ext: JSON.parse(nest(5)) },
});
valid('ext/5-arrays-deep', 'Arrays count like objects towards the depth of ect_ext.', {
  claims: { ect_ext: { a: [[[[1, 'x', null]]]] } },
});
valid('ext/names-of-built-ins', 'Members of ect_ext may have names that objects of some languages have.', {
  claims: { ect_ext: { constructor: 1, toString: [], hasOwnProperty: null } },
});
valid('ext/numbers-with-fraction-and-exponent', 'Numbers in ect_ext may have fractions and exponents.', {
  claims: { ect_ext: { a: 1500, b: 0.25 } },
  write: (claims) => signParts(header, JSON.stringify(claims).replace('1500', '1.5e3').replace('0.25', '25E-2')),
});
valid('policy/approved', 'A policy may have approved the task.', {
  claims: {
    ect_ext: {
      pol: 'policy_v1',
      pol_decision: 'approved',
      pol_enforcer: 'spiffe://example.com/gate',
      pol_timestamp: NOW,
    },
  },
});
valid('policy/rejected', 'A policy may have rejected the task; the token that says so is valid.', {
  claims: { ect_ext: { pol: 'policy_v1', pol_decision: 'rejected' } },
});
valid('policy/pending-human-review', 'A decision may wait for a person.', {
  claims: { ect_ext: { pol: 'policy_v1', pol_decision: 'pending_human_review' } },
});
valid('policy/compensation', 'A task may say that it undoes another, and why.', {
  claims: { ect_ext: { compensation_required: true, compensation_reason: 'trade was rejected' } },
});

// What is not ours.
valid('other/unknown-claims', 'Unknown claims are ignored.', {
  claims: { scope: 'a b', 'com.example.x': { y: [1, 2] } },
});
valid('other/sub-is-ignored', 'Draft -01 does not define sub: it is ignored.', {
  claims: { sub: 'spiffe://example.com/somebody/else' },
});
valid('other/prototype-as-claim', 'A claim named __proto__ is an unknown claim.', {
  write: (claims) => signParts(header, JSON.stringify(claims).replace(/}$/, ',"__proto__":{"iss":"urn:x","exp":1}}')),
});
valid('other/large-number-in-an-unknown-claim', 'Numbers in unknown claims are not looked at.', {
  write: (claims) => signParts(header, JSON.stringify(claims).replace(/}$/, ',"x":12345678901234567890.5}')),
});

/** Signs with one more unknown claim each time, until the signature is as wanted. */
function signedUntil(claims: object, isWanted: (raw: Buffer) => boolean): string {
  for (let count = 0; ; count++) {
    const token = signParts(header, { ...claims, count });
    if (isWanted(Buffer.from(token.slice(token.lastIndexOf('.') + 1), 'base64url'))) return token;
  }
}
