// ect.v1.AdminService: changes of signing keys, and marks of compromised tasks and keys.

import {
  type Action,
  type AuthorityContext,
  asLastStated,
  callerName,
  compromiseKey,
  isKnownSubject,
  markCompromised,
  policyInForce,
  provenanceOf,
  rotateKey,
} from '../authority/index.ts';
import type { Call, Service } from '../calls/call.ts';
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
import { provenanceFor } from './provenance-messages.ts';

/** Returns the service for administrators: it changes keys in the key manager, and writes marks into the ledger. */
export function adminService(context: AuthorityContext, keyManager: KeyManager): Service<typeof AdminService> {
  const sinceOf: SinceOf = (kid) => context.keys.compromisedAt({ kid });
  const answer = async ({ key, changed }: KeyChange) => {
    const [stated = key] = await asLastStated(context, [key]);
    return writeChange({ key: stated, changed }, sinceOf);
  };
  const writerOf = ({ caller, policy = policyInForce(context) }: Call, action: Action) => ({ caller, action, policy });
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
      rotateKey: async (request, { caller, policy }) => {
        const rotation = readRotation(request);
        await context.policies?.kept();
        return answer(await rotateKey(context, keyManager, caller, rotation, policy));
      },
      retireKey: async (request, call) => {
        const input = { ...readKeyInput(request), by: callerName(call.caller) };
        await context.policies?.kept();
        return answer(await keyManager.retire({ ...input, provenance: provenanceOf(writerOf(call, 'RetireKey')) }));
      },
      revokeKey: async (request, call) => {
        const { key, sinceMs } = readRevocation(request);
        // A mark cannot be removed, so first check that the key belongs to this service.
        await keyManager.find(key.kid);
        const writer = writerOf(call, 'RevokeKey');
        const { marked, isEnded } = await compromiseKey(withKeys, writer, { ...key, sinceMs }, call.signal);
        return answer({ key: await keyManager.find(key.kid), changed: isEnded || !marked.duplicate });
      },
      markCompromised: async (request, { caller, signal, policy }) => {
        const mark = readMarkInput(request, context.policy.token.ids);
        const { record, receipt, duplicate } = await markCompromised(context, caller, mark, signal, policy);
        const entry = writeEntry(record, provenanceFor(context, caller)(record));
        const subjectKnown = await isKnownSubject(context, mark.subject);
        return {
          entry,
          receipt: writeReceipt(receipt, request.receiptFormat),
          duplicate,
          ...(subjectKnown === undefined ? {} : { subjectKnown }),
        };
      },
    },
  };
}
