// ect.v1.KeyService: the public keys. No authentication is needed.

import type { AuthorityContext } from '../authority/index.ts';
import type { Service } from '../calls/call.ts';
import { MAX_MESSAGE_BYTES } from '../calls/message-limits.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import type { KeyManager } from '../key-manager/index.ts';
import { writeSigningKey } from './key-messages.ts';
import { keySetBytes } from './key-sizes.ts';

/** Returns the service: the public keys of the key manager, and the verifier key of the ledger. */
export function keyService(
  { ledger }: Pick<AuthorityContext, 'ledger'>,
  keyManager: KeyManager,
): Service<typeof KeyService> {
  return {
    descriptor: KeyService,
    access: 'public',
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: { getKeySet: () => keySetBytes(keyManager, ledger.verifierKey) },
    procedures: {
      getKeySet: () => ({
        keys: keyManager.published.map(writeSigningKey),
        jwksJson: keyManager.keySet,
        ledgerVerifierKey: ledger.verifierKey,
        maxAge: { seconds: BigInt(keyManager.keySetMaxAgeSeconds), nanos: 0 },
      }),
    },
  };
}
