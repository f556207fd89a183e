// The names of the states of signing keys.

import { KeyState } from '../gen/ect/v1/keys_pb.ts';

const NAMES: Readonly<Record<KeyState, string>> = {
  [KeyState.UNSPECIFIED]: 'unknown',
  [KeyState.ANNOUNCED]: 'announced',
  [KeyState.ACTIVE]: 'active',
  [KeyState.RETIRED]: 'retired',
  [KeyState.REVOKED]: 'revoked',
};

export function keyStateName(state: KeyState): string {
  return NAMES[state] ?? 'unknown';
}
