// Fields that several requests have. What the domain has no rule for is bounded here.

import type { IssueInput } from '../authority/index.ts';
import { MAX_HANDED_ALONG, MAX_LOOKUP_ID_CHARACTERS, MAX_NAME_BYTES } from '../calls/message-limits.ts';
import type { Rejection } from '../errors.ts';
import type { IssueRequest } from '../gen/ect/v1/authority_pb.ts';
import { type ReceiptFormat, ReceiptFormatSchema } from '../gen/ect/v1/ledger_pb.ts';
import { Level, LevelSchema, type TaskName } from '../gen/ect/v1/token_pb.ts';
import { hasMoreCharacters } from '../keys/index.ts';
import { hashClaim } from '../token/index.ts';
import { known } from './enums.ts';
import { demand, invalid } from './invalid.ts';
import { demandList } from './lists.ts';
import { checkAll } from './violations.ts';

/** What else is wrong with what was read. Asked only where a request is rejected. */
export type FaultsIn<Input> = (input: Input) => readonly Rejection[];
export const noFaults = () => [];

/** A name that a caller gives to a call or an item. */
export function readName(field: string, name: string): string {
  if (!isName(name)) throw invalid(field, `must have at most ${MAX_NAME_BYTES} bytes`);
  return name;
}

export function isName(name: string): boolean {
  // A character has three bytes at most, so those of a short name need not be counted.
  return 3 * name.length <= MAX_NAME_BYTES || Buffer.byteLength(name) <= MAX_NAME_BYTES;
}

/** An id by which a task or a workflow is looked up. Longer than any that there is it is a fault of the request. */
export function checkLookupId(field: string, id: string, isRequired = false): void {
  demand(id !== '' || !isRequired, field, 'is required');
  const rule = `must have at most ${MAX_LOOKUP_ID_CHARACTERS} characters`;
  demand(!hasMoreCharacters(id, MAX_LOOKUP_ID_CHARACTERS), field, rule);
}

/** The name of a task that is looked up. */
export function checkTaskName({ wid, jti }: Pick<TaskName, 'wid' | 'jti'>): void {
  checkAll(
    () => checkLookupId('task.jti', jti, true),
    () => checkLookupId('task.wid', wid),
  );
}

export function checkReceiptFormat(format: ReceiptFormat): void {
  known('receipt_format', format, ReceiptFormatSchema);
}

export function readPredecessors(tokens: readonly string[]): readonly string[] {
  demandList('predecessor_tokens', tokens);
  if (tokens.length > MAX_HANDED_ALONG) {
    throw invalid('predecessor_tokens', `must have at most ${MAX_HANDED_ALONG} tokens`);
  }
  return tokens;
}

/** A literal inside the function would be a new object for each item of a batch. */
const REQUEST_ID = /^[\x21-\x7e]*$/;

/** The id of a request, under which its result is stored. */
export function readRequestId(id: string): string {
  if (!REQUEST_ID.test(id)) throw invalid('request_id', 'must be printable ASCII without blanks');
  return readName('request_id', id);
}

export const LEVELS: Readonly<Record<Level, IssueInput['level'] | undefined>> = {
  [Level.UNSPECIFIED]: undefined,
  [Level.L1]: 'L1',
  [Level.L2]: 'L2',
  [Level.L3]: 'L3',
};

export function readLevel(field: string, level: Level): IssueInput['level'] | undefined {
  known(field, level, LevelSchema);
  return LEVELS[level];
}

/** The value that means no binding. */
export const NOTHING = { case: undefined } as const;

/** The hash that a binding stands for: given as it is, or of the octets given. An empty one is a hash of nothing. */
export function readBinding(binding: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): string | undefined {
  if (binding.case === undefined) return undefined;
  if (typeof binding.value !== 'string') return hashClaim(binding.value);
  if (binding.value === '') throw invalid(binding.case === 'inpHash' ? 'inp_hash' : 'out_hash', 'must not be empty');
  return binding.value;
}
