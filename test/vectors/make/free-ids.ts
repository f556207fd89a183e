// Ids that are no UUIDs, where a verifier accepts them.

import { invalid, valid } from './collect.ts';
import { token } from './token.ts';

const circumstances = { profile: 'free-ids' };

valid(
  'free-ids/words',
  'Ids may be any words.',
  { claims: { jti: 'task-1', wid: 'workflow 7', pred: ['task-0', '#!?'] } },
  circumstances,
);
valid(
  'free-ids/of-256-characters',
  'An id may have 256 characters.',
  { claims: { jti: 'x'.repeat(256) } },
  circumstances,
);
valid('free-ids/uuid', 'A UUID is an id too.', {}, circumstances);
valid(
  'free-ids/uuid-in-capitals',
  'Where ids are free, capitals make another id.',
  { claims: { jti: 'ABCDEF00-0000-4000-8000-000000000000', pred: ['abcdef00-0000-4000-8000-000000000000'] } },
  circumstances,
);
valid(
  'free-ids/names-of-built-ins',
  'An id may be a name that objects of some languages have.',
  { claims: { jti: '__proto__', pred: ['constructor', 'toString'] } },
  circumstances,
);

const formats = { ...circumstances, step: 'formats' };
invalid(
  'free-ids/jti-of-257-characters',
  'An id has at most 256 characters.',
  token({ jti: 'x'.repeat(257) }),
  'CLAIM_INVALID jti',
  formats,
);
invalid(
  'free-ids/jti-empty',
  'An id is not empty, even where ids are free.',
  token({ jti: '' }),
  'CLAIM_INVALID jti',
  formats,
);
invalid('free-ids/jti-not-ascii', 'An id is written in ASCII.', token({ jti: 'tâche' }), 'CLAIM_INVALID jti', formats);
invalid(
  'free-ids/jti-control-character',
  'An id has no control characters.',
  token({ jti: 'a\tb' }),
  'CLAIM_INVALID jti',
  formats,
);
invalid(
  'free-ids/wid-not-ascii',
  'A workflow id is written in ASCII.',
  token({ wid: 'ﬂow' }),
  'CLAIM_INVALID wid',
  formats,
);
invalid(
  'free-ids/pred-of-257-characters',
  'The id of a predecessor has at most 256 characters.',
  token({ pred: ['x'.repeat(257)] }),
  'PRED_INVALID',
  formats,
);
invalid(
  'free-ids/pred-itself',
  'A free id does not follow itself either.',
  token({ jti: 'task-1', pred: ['task-1'] }),
  'PRED_INVALID',
  formats,
);
invalid(
  'free-ids/pred-duplicate',
  'A free id is named once.',
  token({ pred: ['task-0', 'task-0'] }),
  'PRED_INVALID',
  formats,
);
