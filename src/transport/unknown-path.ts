// A path that is no method and no page: which one it was, and where the method is that was probably meant.

import { EctError, reject } from '../errors.ts';

const MAX_SHOWN = 96;

/** METHOD_UNKNOWN. The path is the peer's: it is shown as ASCII, and cut. */
export function unknownPath(path: string, methods: Iterable<string>): EctError {
  const name = /^\/[\w.]+\/(\w+)$/.exec(path)?.[1];
  const [elsewhere] = [...methods].filter((known) => name !== undefined && known.endsWith(`/${name}`));
  const hint = elsewhere === undefined ? '' : `; did you mean ${elsewhere}?`;
  return new EctError(reject('METHOD_UNKNOWN', `there is no method or page ${shown(path)}${hint}`));
}

function shown(path: string): string {
  const short = path.length <= MAX_SHOWN ? path : `${path.slice(0, MAX_SHOWN)}…`;
  return short.replace(/[^\x21-\x7e…]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
