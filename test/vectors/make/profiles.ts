// The settings under which vectors hold, by name: what differs from the defaults, in the service's own variables.

import type { Profiles } from '../../../src/cli/vectors.ts';

export const PROFILES: Profiles = {
  default: {},
  'draft-00-only': { ECT_DRAFTS: '00' },
  'draft-01-only': { ECT_DRAFTS: '01' },
  unsigned: { ECT_MINIMUM_LEVEL: 'L1', ECT_MINIMUM_LEVELS: 'execute_trade=L2' },
  'free-ids': { ECT_UUIDS: 'off' },
  algorithms: { ECT_ALGORITHMS: 'ES256,ES384,EdDSA,Ed25519,PS256' },
};
