// Reads a MarkCompromised request.

import type { CompromisedSubject } from '../authority/index.ts';
import type { MarkCompromisedRequest } from '../gen/ect/v1/admin_pb.ts';
import { ID_FORMS } from '../token/index.ts';
import { demand, invalid } from './invalid.ts';
import { checkNote, isText } from './note.ts';
import { checkReceiptFormat } from './request-fields.ts';
import { readMillisecond } from './times.ts';
import { checkAll } from './violations.ts';

type Ids = keyof typeof ID_FORMS;

/** Reads the request. Throws REQUEST_INVALID, which names the invalid field. */
export function readMarkInput(
  request: MarkCompromisedRequest,
  ids: Ids,
): { readonly subject: CompromisedSubject; readonly note: string } {
  const { note } = request;
  checkAll(
    () => checkNote(note),
    () => readMillisecond('compromised_since', request.compromisedSince),
    () => checkSinceOfTask(request),
    () => readSubject(request, ids),
    () => checkReceiptFormat(request.receiptFormat),
  );
  return { subject: readSubject(request, ids), note };
}

function checkSinceOfTask({ subject, compromisedSince }: MarkCompromisedRequest): void {
  demand(subject.case !== 'task' || compromisedSince === undefined, 'compromised_since', 'goes with kid only');
}

function readSubject(request: MarkCompromisedRequest, ids: Ids): CompromisedSubject {
  const { subject } = request;
  if (subject.case === 'kid') {
    if (subject.value === '' || !isText(subject.value)) {
      throw invalid('kid', 'must have 1 to 256 characters and no control characters');
    }
    return { kind: 'key', kid: subject.value, sinceMs: readMillisecond('compromised_since', request.compromisedSince) };
  }
  if (subject.case !== 'task') throw invalid('subject', 'is required: a task or a kid');
  const { jti, wid } = subject.value;
  // The id must have a form that the service accepts in tokens. A mark on any other id would have no effect.
  const { pattern, one } = ID_FORMS[ids];
  const rule = `must be ${one}`;
  checkAll(
    () => demand(pattern.test(jti), 'task.jti', rule),
    () => demand(wid === '' || pattern.test(wid), 'task.wid', rule),
  );
  return { kind: 'task', jti, wid };
}
