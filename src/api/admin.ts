// ect.v1.AdminService: changes of signing keys, and the marks of what is compromised.

import {
  type AuthorityContext,
  asLastStated,
  callerName,
  compromiseKey,
  markCompromised,
  rotateKey,
} from '../authority/index.ts';
import type { Service } from '../calls/call.ts';
import { MAX_MESSAGE_BYTES } from '../calls/message-limits.ts';
import { AdminService } from '../gen/ect/v1/admin_pb.ts';
import type { KeyChange, KeyManager } from '../key-manager/index.ts';
import { writeEntry, writeReceipt } from './entry-messages.ts';
import {
  keysAPage,
  readKeyInput,
  readKeyQuery,
  readRevocation,
  readRotation,
  type SinceOf,
  writeChange,
  writeKeyPage,
} from './key-messages.ts';
import { keyPageBytes } from './key-sizes.ts';
import { readMarkInput } from './mark-requests.ts';

/** Serves administrators: the keys in the key manager, and the marks in the ledger. */
export function adminService(context: AuthorityContext, keyManager: KeyManager): Service<typeof AdminService> {
  const sinceOf: SinceOf = (kid) => context.keys.compromisedAt({ kid });
  const answer = async ({ key, changed }: KeyChange) => {
    const [stated = key] = await asLastStated(context, [key]);
    return writeChange({ key: stated, changed }, sinceOf);
  };
  const withKeys = { ...context, ownKeys: keyManager };
  return {
    descriptor: AdminService,
    access: 'admin',
    maxRequestBytes: { '*': MAX_MESSAGE_BYTES },
    answerBytes: { listKeys: ({ pageSize }) => keyPageBytes(keysAPage(pageSize)) },
    procedures: {
      listKeys: async (request) => {
        const query = readKeyQuery(request);
        const { keys, next } = await keyManager.list(query);
        return writeKeyPage({ keys: await asLastStated(context, keys), next }, query, sinceOf);
      },
      rotateKey: async (request, { caller }) =>
        answer(await rotateKey(context, keyManager, caller, readRotation(request))),
      retireKey: async (request, { caller }) =>
        answer(await keyManager.retire({ ...readKeyInput(request), by: callerName(caller) })),
      revokeKey: async (request, { caller, signal }) => {
        const { order, sinceMs } = readRevocation(request);
        // A mark would be forever, so first whether it is a key of ours.
        await keyManager.find(order.kid);
        const { marked, isEnded } = await compromiseKey(withKeys, caller, { ...order, sinceMs }, signal);
        return answer({ key: await keyManager.find(order.kid), changed: isEnded || !marked.duplicate });
      },
      markCompromised: async (request, { caller, signal }) => {
        const order = readMarkInput(request, context.policy.token.ids);
        const { record, receipt, duplicate } = await markCompromised(context, caller, order, signal);
        return { entry: writeEntry(record), receipt: writeReceipt(receipt, request.receiptFormat), duplicate };
      },
    },
  };
}
