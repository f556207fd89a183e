// The error for a path that is neither a method nor a page, with the path that was probably meant.

import { EctError, reject } from '../errors.ts';
import { nearest } from '../spelling.ts';

const MAX_SHOWN = 96;

/** A path with more edits is not similar. */
const MAX_EDITS = 3;

/** METHOD_UNKNOWN. The path comes from the peer: it is shown as ASCII, and cut. */
export function unknownPath(path: string, methods: Iterable<string>, pages: Iterable<string> = []): EctError {
  const name = /^\/[\w.]+\/(\w+)$/.exec(path)?.[1];
  const known = [...methods];
  const elsewhere = known.find((method) => name !== undefined && method.endsWith(`/${name}`));
  const meant = elsewhere ?? (path.length <= MAX_SHOWN ? nearest(path, [...known, ...pages], MAX_EDITS) : undefined);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  return new EctError(reject('METHOD_UNKNOWN', `there is no method or page ${shown(path)}${hint}`));
}

function shown(path: string): string {
  const short = path.length <= MAX_SHOWN ? path : `${path.slice(0, MAX_SHOWN)}…`;
  return short.replace(/[^\x21-\x7e…]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
