// Converts errors of the Connect runtime for unreadable requests to errors of ours. Messages of the runtime may quote the request, so
// ours name only the field of the schema or the rule of the framing.

import { Code } from '@connectrpc/connect';
import { EctError, reject } from '../../errors.ts';
import { messageTooLarge } from '../messages/grpc-frame.ts';

/** Prefixes of messages of the runtime, and the messages that replace them. */
const SENTENCES: readonly (readonly [beginning: string, ours: string])[] = [
  ['protocol error: missing input message', 'the call has no message'],
  ['protocol error: received extra input message', 'the call has more than one message'],
  ['protocol error: incomplete envelope', 'a message is shorter than its frame announces'],
  ['protocol error: promised', 'the body is not as long as its header announces'],
  ['unknown compression', 'the compression is not supported: use gzip or none'],
  ['received compressed envelope', 'the message is compressed, but no compression was announced'],
  ['decompression failed', 'the message cannot be decompressed'],
  ['parse binary', 'the message is not valid protobuf for this method'],
];

/** The error of a call whose request could not be read. `limitBytes` is the largest message of the method. */
export function explainUnreadable(code: Code, sentence: string, limitBytes: number): EctError {
  if (code === Code.ResourceExhausted) {
    return messageTooLarge(limitBytes);
  }
  // The runtime names fields by our schema, never by the caller's text.
  const field = /^cannot decode (?:field|message) (ect\.v1\.[\w.]+) from JSON/.exec(sentence)?.[1];
  const known = SENTENCES.find(([beginning]) => sentence.startsWith(beginning))?.[1];
  const ours = field === undefined ? known : `the JSON for ${field} does not fit the schema`;
  return new EctError(reject('REQUEST_MALFORMED', ours ?? 'the message cannot be read'));
}
