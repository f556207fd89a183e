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
