// Members of ect_ext, and what a policy decided, that every verifier must accept.

import { valid } from './collect.ts';
import { header, NOW, nest, signParts } from './token.ts';

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
