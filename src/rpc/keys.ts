// ect.v1.KeyService: the public keys, for everyone; changes of signing keys, for administrators.

import { type AuthorityParts, callerName, compromiseKey, rotateKey } from '../authority/index.ts';
import type { Custody, KeyChange } from '../custody/index.ts';
import { KeyService } from '../gen/ect/v1/keys_pb.ts';
import type { Service } from './call.ts';
import {
  readKeyOrder,
  readKeyQuery,
  readRevocation,
  readRotation,
  type SinceOf,
  writeChange,
  writeKeyPage,
  writeSigningKey,
} from './key-messages.ts';
import { keyPageBytes, keySetBytes } from './key-sizes.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';

/** Serves the keys in custody, and the verifier key of the ledger. */
export function keyService(parts: AuthorityParts, custody: Custody): Service<typeof KeyService> {
  const sinceOf: SinceOf = (kid) => parts.keys.compromisedAt({ kid });
  const answer = (change: KeyChange) => writeChange(change, sinceOf);
  const withKeys = { ...parts, ownKeys: custody };
  return {
    descriptor: KeyService,
    access: 'public',
    administered: ['listKeys', 'rotateKey', 'retireKey', 'revokeKey'],
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: {
      getKeySet: () => keySetBytes(custody, parts.ledger.verifierKey),
      listKeys: ({ pageSize }) => keyPageBytes(pageSize),
    },
    procedures: {
      getKeySet: () => ({
        keys: custody.published.map(writeSigningKey),
        jwksJson: custody.keySet,
        ledgerVerifierKey: parts.ledger.verifierKey,
        maxAgeSeconds: custody.keySetMaxAgeSeconds,
      }),
      listKeys: async (request) => {
        const query = readKeyQuery(request);
        return writeKeyPage(await custody.list(query), query.limit, sinceOf);
      },
      rotateKey: async (request, { caller }) => answer(await rotateKey(parts, custody, caller, readRotation(request))),
      retireKey: async (request, { caller }) =>
        answer(await custody.retire({ ...readKeyOrder(request), by: callerName(caller) })),
      revokeKey: async (request, { caller, signal }) => {
        const { order, sinceMs } = readRevocation(request);
        // A mark would be for ever, so first whether it is a key of ours.
        await custody.find(order.kid);
        const { marked, isEnded } = await compromiseKey(withKeys, caller, { ...order, sinceMs }, signal);
        return answer({ key: await custody.find(order.kid), changed: isEnded || !marked.duplicate });
      },
    },
  };
}
