// ect.v1.AdminService: changes of signing keys, and the marks of what is compromised.

import {
  type AuthorityParts,
  asLastStated,
  callerName,
  compromiseKey,
  markCompromised,
  rotateKey,
} from '../authority/index.ts';
import type { Custody, KeyChange } from '../custody/index.ts';
import { AdminService } from '../gen/ect/v1/admin_pb.ts';
import type { Service } from './call.ts';
import { writeEntry, writeReceipt } from './entry-messages.ts';
import {
  keysAPage,
  readKeyOrder,
  readKeyQuery,
  readRevocation,
  readRotation,
  type SinceOf,
  writeChange,
  writeKeyPage,
} from './key-messages.ts';
import { keyPageBytes } from './key-sizes.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { readMarkOrder } from './mark-orders.ts';

/** Serves administrators: the keys in custody, and the marks in the ledger. */
export function adminService(parts: AuthorityParts, custody: Custody): Service<typeof AdminService> {
  const sinceOf: SinceOf = (kid) => parts.keys.compromisedAt({ kid });
  const answer = async ({ key, changed }: KeyChange) => {
    const [stated = key] = await asLastStated(parts, [key]);
    return writeChange({ key: stated, changed }, sinceOf);
  };
  const withKeys = { ...parts, ownKeys: custody };
  return {
    descriptor: AdminService,
    access: 'admin',
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: { listKeys: ({ pageSize }) => keyPageBytes(keysAPage(pageSize)) },
    procedures: {
      listKeys: async (request) => {
        const query = readKeyQuery(request);
        const { keys, next } = await custody.list(query);
        return writeKeyPage({ keys: await asLastStated(parts, keys), next }, query, sinceOf);
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
      markCompromised: async (request, { caller, signal }) => {
        const order = readMarkOrder(request, parts.policy.token.ids);
        const { record, receipt, duplicate } = await markCompromised(parts, caller, order, signal);
        return { entry: writeEntry(record), receipt: writeReceipt(receipt, request.receiptFormat), duplicate };
      },
    },
  };
}
