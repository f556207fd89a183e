// Why a request cannot be read. The message names fields, because a misspelt field is the most common fault; it never shows values.

import { invalid } from '../../../api/invalid.ts';
import {
  MAX_BATCH_ITEMS,
  MAX_BATCH_OBJECTS,
  MAX_DEPTH,
  MAX_EXT_BYTES,
  MAX_VALUES,
} from '../../../calls/message-limits.ts';
import { EctError, reject } from '../../../errors.ts';

/** The position of something in a message, such as `items[3].request.exec_act`. It is only formatted for a fault. */
export interface Place {
  readonly parent: Place | undefined;
  readonly name: string | number;
}

const MAX_NAME = 64;
const MAX_PATH = 160;

/** The path of a position. A name may come from the caller: it is shown as ASCII, and long ones are cut. */
function pathOf(place: Place | undefined): string {
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
  return new EctError(reject('REQUEST_MALFORMED', message));
}

/** The error of one invalid field. Without a position it is the message itself. */
export function misfit(place: Place | undefined, rule: string): EctError {
  const field = pathOf(place);
  if (field === '') return malformed(`the message ${rule}`);
  return new EctError(reject('REQUEST_MALFORMED', `${field} ${rule}`, { field }));
}

/** Most faults of one message that are named, because an error has room for no more. */
const MAX_FAULTS = 16;

/** Collects the faults of the parts of one message. */
export class Faults {
  readonly #faults: EctError[] = [];
  #violations = 0;

  /** Whether the maximum is reached. */
  get isFull(): boolean {
    return this.#violations >= MAX_FAULTS;
  }

  /** Adds the rejection of a part. Any other error is thrown again. */
  keep(error: unknown): void {
    if (!(error instanceof EctError)) throw error;
    this.#faults.push(error);
    this.#violations += Math.max(1, error.violations.length);
  }

  /** Reads a part; undefined if it is rejected. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.keep(error);
      return undefined;
    }
  }

  /** Throws the collected faults as one error, if there are any. */
  reject(): void {
    const [first, ...others] = this.#faults;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const violations = this.#faults.flatMap((fault) =>
      fault.violations.length > 0
        ? fault.violations
        : [{ field: fault.metadata['field'] ?? '', description: fault.message }],
    );
    const message = this.#faults.map((fault) => fault.message).join('; ');
    throw new EctError({ ...first.rejection, message, violations });
  }
}

export function tooManyValues(): EctError {
  return beyondValues(`the message, or an item of it, has more than ${MAX_VALUES} values`, MAX_VALUES);
}

export function tooManyObjects(): EctError {
  return beyondValues(`the items have more than ${MAX_BATCH_OBJECTS} lists and objects together`, MAX_BATCH_OBJECTS);
}

function beyondValues(message: string, limit: number): EctError {
  return new EctError(reject('MESSAGE_TOO_LARGE', message, { limit_values: String(limit) }));
}

export function tooDeep(): EctError {
  const message = `the message is nested more than ${MAX_DEPTH} deep`;
  return new EctError(reject('REQUEST_MALFORMED', message, { limit_depth: String(MAX_DEPTH) }));
}

/** The same rejection as for a token with such an extension object. */
export function structTooLarge(place?: Place): EctError {
  const field = pathOf(place) || 'ect_ext';
  return new EctError(
    reject('EXT_TOO_LARGE', `${field} has more than ${MAX_EXT_BYTES} bytes`, { limit_bytes: String(MAX_EXT_BYTES) }),
  );
}

/** The same rejection as in the batch procedures. */
export function tooManyItems(field: string): EctError {
  return invalid(field, `must have 1 to ${MAX_BATCH_ITEMS} items`);
}
