// ect.v1.KeyService: the public keys, for everyone; changes of signing keys, for administrators.

import { type AuthorityParts, callerName, markCompromised } from '../authority/index.ts';
import type { Custody } from '../custody/index.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import type { Service } from './call.ts';
import {
  readKeyOrder,
  readKeyQuery,
  readRevocation,
  readRotation,
  writeChange,
  writeKeyPage,
  writeSigningKey,
} from './key-messages.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';

/** Serves the keys in custody, and the verifier key of the ledger. */
export function keyService(parts: AuthorityParts, custody: Custody): Service<typeof KeyService> {
  return {
    descriptor: KeyService,
    access: 'public',
    administered: ['listKeys', 'rotateKey', 'retireKey', 'revokeKey'],
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    procedures: {
      getKeySet: () => ({
        keys: custody.published.map(writeSigningKey),
        jwksJson: custody.keySet,
        ledgerVerifierKey: parts.ledger.verifierKey,
        maxAgeSeconds: custody.keySetMaxAgeSeconds,
      }),
      listKeys: async (request) => writeKeyPage(await custody.list(readKeyQuery(request))),
      rotateKey: async (request, { caller }) =>
        writeChange(await custody.rotate({ ...readRotation(request), by: callerName(caller) })),
      retireKey: async (request, { caller }) =>
        writeChange(await custody.retire({ ...readKeyOrder(request), by: callerName(caller) })),
      revokeKey: async (request, { caller, signal }) => {
        const { order, sinceMs } = readRevocation(request);
        const change = await custody.revoke({ ...order, by: callerName(caller) }, sinceMs);
        // Its tokens are refused by now. What it signed before is for review; a repeated call makes up for a lost mark.
        await markCompromised(parts, caller, { subject: { kind: 'key', kid: order.kid }, note: order.note }, signal);
        return writeChange(change);
      },
    },
  };
}
