// Between messages and the domain: what an administrator says is compromised.

import type { CompromisedSubject } from '../authority/index.ts';
import type { MarkCompromisedRequest } from '../gen/ect/v1/admin_pb.ts';
import { checkReceiptFormat } from './entry-messages.ts';
import { demand, invalid } from './invalid.ts';
import { millisecondsOf } from './messages.ts';
import { checkAll } from './violations.ts';

/** As the service accepts them in tokens: a mark on anything else would be for nothing. */
const IDS = {
  uuid: { form: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, rule: 'must be a UUID in lower case' },
  text: { form: /^[\x20-\x7e]{1,256}$/, rule: 'must have 1 to 256 printable ASCII characters' },
} as const;
const TEXT = /^[^\p{Cc}\p{Cs}]{0,256}$/u;

/** Reads the request. REQUEST_INVALID names the field that is wrong. */
export function readMarkOrder(
  request: MarkCompromisedRequest,
  ids: keyof typeof IDS,
): { readonly subject: CompromisedSubject; readonly note: string } {
  const { note } = request;
  checkAll(
    () => demand(TEXT.test(note), 'note', 'must have at most 256 characters and no control characters'),
    () => checkSince(millisecondsOf(request.compromisedSince)),
    () => readSubject(request, ids),
    () => checkReceiptFormat(request.receiptFormat),
  );
  return { subject: readSubject(request, ids), note };
}

function checkSince(sinceMs: number | undefined): void {
  demand(sinceMs === undefined || sinceMs >= 0, 'compromised_since', 'must not be before 1970');
}

function readSubject(request: MarkCompromisedRequest, ids: keyof typeof IDS): CompromisedSubject {
  const { subject } = request;
  if (subject.case === 'kid') {
    if (subject.value === '' || !TEXT.test(subject.value)) {
      throw invalid('kid', 'must have 1 to 256 characters and no control characters');
    }
    return { kind: 'key', kid: subject.value, sinceMs: millisecondsOf(request.compromisedSince) };
  }
  if (subject.case !== 'task') throw invalid('subject', 'is required: a task or a kid');
  demand(request.compromisedSince === undefined, 'compromised_since', 'goes with kid only');
  const { jti, wid } = subject.value;
  const { form, rule } = IDS[ids];
  checkAll(
    () => demand(form.test(jti), 'task.jti', rule),
    () => demand(wid === '' || form.test(wid), 'task.wid', rule),
  );
  return { kind: 'task', jti, wid };
}
