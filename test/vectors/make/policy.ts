// Policy claims of draft -01 that break a rule.

import { invalid } from './collect.ts';
import { NOW, token } from './token.ts';

const bad = (name: string, shows: string, ext: object, claim: string) =>
  invalid(`policy/${name}`, shows, token({ ect_ext: ext }), `CLAIM_INVALID ${claim}`, { step: 'claims' });

bad('pol-alone', 'pol does not stand without pol_decision.', { pol: 'p' }, 'pol_decision');
bad('pol_decision-alone', 'pol_decision does not stand without pol.', { pol_decision: 'approved' }, 'pol');
bad('pol_decision-unknown', 'A decision is one of three.', { pol: 'p', pol_decision: 'denied' }, 'pol_decision');
bad(
  'pol_decision-in-capitals',
  'A decision is compared exactly.',
  { pol: 'p', pol_decision: 'Approved' },
  'pol_decision',
);
bad('pol_decision-boolean', 'A decision is a word, not true.', { pol: 'p', pol_decision: true }, 'pol_decision');
bad('pol_decision-null', 'A decision is a word, not null.', { pol: 'p', pol_decision: null }, 'pol_decision');
bad('pol_decision-list', 'A decision is one word.', { pol: 'p', pol_decision: ['approved'] }, 'pol_decision');
bad(
  'pol_decision-name-of-a-built-in',
  'A decision is not a name that objects of some languages have.',
  { pol: 'p', pol_decision: 'toString' },
  'pol_decision',
);
bad('pol-empty', 'pol is not empty.', { pol: '', pol_decision: 'approved' }, 'pol');
bad('pol-number', 'pol is a text.', { pol: 1, pol_decision: 'approved' }, 'pol');
bad('pol-control-character', 'pol has no control characters.', { pol: 'p\n', pol_decision: 'approved' }, 'pol');
bad(
  'pol_enforcer-object',
  'pol_enforcer is a text.',
  { pol: 'p', pol_decision: 'approved', pol_enforcer: {} },
  'pol_enforcer',
);
bad(
  'pol_timestamp-text',
  'pol_timestamp is a number.',
  { pol: 'p', pol_decision: 'approved', pol_timestamp: `${NOW}` },
  'pol_timestamp',
);
bad(
  'pol_timestamp-fraction',
  'pol_timestamp is a whole number of seconds.',
  { pol: 'p', pol_decision: 'approved', pol_timestamp: NOW + 0.5 },
  'pol_timestamp',
);
bad(
  'pol_timestamp-negative',
  'pol_timestamp is not negative.',
  { pol: 'p', pol_decision: 'approved', pol_timestamp: -1 },
  'pol_timestamp',
);
bad(
  'compensation_required-text',
  'compensation_required is true or false.',
  { compensation_required: 'true' },
  'compensation_required',
);
bad(
  'compensation_reason-list',
  'compensation_reason is a text.',
  { compensation_required: true, compensation_reason: ['x'] },
  'compensation_reason',
);
