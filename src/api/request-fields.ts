// Reads fields that several requests have. Limits that the procedures do not enforce are enforced here.

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

/** Returns the other faults of an input. Called only when the request is rejected. */
export type FaultsIn<Input> = (input: Input) => readonly Rejection[];
export const noFaults = () => [];

/** Reads the name that a caller gives to a call or an item. */
export function readName(field: string, name: string): string {
  if (!isName(name)) throw invalid(field, `must have at most ${MAX_NAME_BYTES} bytes`);
  return name;
}

export function isName(name: string): boolean {
  // A UTF-16 unit has at most three bytes in UTF-8, so the bytes of a short name need not be counted.
  return 3 * name.length <= MAX_NAME_BYTES || Buffer.byteLength(name) <= MAX_NAME_BYTES;
}

/** Checks the id of a task or workflow to look up. An id that is longer than any valid one is a fault of the request. */
export function checkLookupId(field: string, id: string, isRequired = false): void {
  demand(id !== '' || !isRequired, field, 'is required');
  const rule = `must have at most ${MAX_LOOKUP_ID_CHARACTERS} characters`;
  demand(!hasMoreCharacters(id, MAX_LOOKUP_ID_CHARACTERS), field, rule);
}

/** Checks the name of a task to look up. */
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

/** A constant, because a literal inside of the function would allocate an object for each item of a batch. */
const REQUEST_ID = /^[\x21-\x7e]*$/;

/** Reads the id of the request, under which its result is stored. */
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

/** The value of a oneof that is not set: no binding. */
export const NOTHING = { case: undefined } as const;

/** Returns the hash of a binding: the given one, or that of the given octets. Empty octets have a hash too. */
export function readBinding(binding: IssueRequest['inputBinding'] | IssueRequest['outputBinding']): string | undefined {
  if (binding.case === undefined) return undefined;
  if (typeof binding.value !== 'string') return hashClaim(binding.value);
  if (binding.value === '') throw invalid(binding.case === 'inpHash' ? 'inp_hash' : 'out_hash', 'must not be empty');
  return binding.value;
}
