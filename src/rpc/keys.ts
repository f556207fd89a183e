// ect.v1.KeyService: the public keys, for everyone.

import type { AuthorityParts } from '../authority/index.ts';
import type { Custody } from '../custody/index.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import type { Service } from './call.ts';
import { writeSigningKey } from './key-messages.ts';
import { keySetBytes } from './key-sizes.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';

/** Serves the keys in custody, and the verifier key of the ledger. */
export function keyService({ ledger }: Pick<AuthorityParts, 'ledger'>, custody: Custody): Service<typeof KeyService> {
  return {
    descriptor: KeyService,
    access: 'public',
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: { getKeySet: () => keySetBytes(custody, ledger.verifierKey) },
    procedures: {
      getKeySet: () => ({
        keys: custody.published.map(writeSigningKey),
        jwksJson: custody.keySet,
        ledgerVerifierKey: ledger.verifierKey,
        maxAge: { seconds: BigInt(custody.keySetMaxAgeSeconds), nanos: 0 },
      }),
    },
  };
}
