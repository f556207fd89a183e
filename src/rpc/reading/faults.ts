// Why a request cannot be read. Names of fields are shown, since a misspelt one is the commonest fault; values never are.

import { EctError, refuse } from '../../errors.ts';
import { invalid } from '../invalid.ts';
import { MAX_BATCH_ITEMS } from '../limits.ts';
import { MAX_DEPTH, MAX_VALUES } from './limits.ts';

/** Where something is in a message: `items[3].request.exec_act`. Only written out where there is a fault. */
export interface Place {
  readonly parent: Place | undefined;
  readonly name: string | number;
}

const MAX_NAME = 64;
const MAX_PATH = 160;

/** The path of a place. A name may be the caller's own: it is shown as ASCII, and long ones are cut. */
export function pathOf(place: Place | undefined): string {
  let path = '';
  for (let at = place; at !== undefined; at = at.parent) {
    const step = typeof at.name === 'number' ? `[${at.name}]` : showName(at.name);
    path = path === '' || path.startsWith('[') ? `${step}${path}` : `${step}.${path}`;
  }
  return path.length <= MAX_PATH ? path : `…${path.slice(-MAX_PATH)}`;
}

function showName(name: string): string {
  const short = name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME)}…`;
  return short.replace(/[^\x20-\x7e…]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function malformed(message: string): EctError {
  return new EctError(refuse('REQUEST_MALFORMED', message));
}

/** One field does not fit. Without a place it is the message itself. */
export function misfit(place: Place | undefined, rule: string): EctError {
  const field = pathOf(place);
  if (field === '') return malformed(`the message ${rule}`);
  return new EctError(refuse('REQUEST_MALFORMED', `${field} ${rule}`, { field }));
}

/** More faults of one message are not named. */
export const MAX_FAULTS = 4;

/** The faults of the fields of one message, as one. */
export function allFaults(faults: readonly [EctError, ...EctError[]]): EctError {
  const [first] = faults;
  if (faults.length === 1) return first;
  const violations = faults.flatMap((fault) =>
    fault.violations.length > 0
      ? fault.violations
      : [{ field: fault.facts['field'] ?? '', description: fault.message }],
  );
  const message = faults.map((fault) => fault.message).join('; ');
  return new EctError({ ...first.refusal, message, violations: violations.slice(0, MAX_FAULTS) });
}

export function tooManyValues(): EctError {
  const message = `the message, or an item of it, has more than ${MAX_VALUES} values`;
  return new EctError(refuse('MESSAGE_TOO_LARGE', message, { limit_values: String(MAX_VALUES) }));
}

export function tooDeep(): EctError {
  const message = `the message is nested more than ${MAX_DEPTH} deep`;
  return new EctError(refuse('REQUEST_MALFORMED', message, { limit_depth: String(MAX_DEPTH) }));
}

/** The same refusal as that of a token with such an extension object. */
export function structTooLarge(place?: Place): EctError {
  const field = pathOf(place) || 'ect_ext';
  return new EctError(refuse('EXT_TOO_LARGE', `${field} has more than 4096 bytes`, { limit_bytes: '4096' }));
}

/** The same refusal as that of the batch procedures. */
export function tooManyItems(field: string): EctError {
  return invalid(field, `must have 1 to ${MAX_BATCH_ITEMS} items`);
}
