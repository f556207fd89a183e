// Reads claims of a token before it is verified. The result may be used to order work and for display, and for nothing else.

import { MAX_PREDECESSORS } from './claim-formats.ts';
import { looksCompact, readCompact } from './compact.ts';
import { NAMES } from './drafts.ts';
import type { JsonObject } from './strict-json.ts';
import { readUnsigned } from './unsigned.ts';

/** The unverified links of a token. What cannot be read is empty. */
interface Links {
  readonly jti: string;
  readonly pred: readonly string[];
  readonly exec_act: string;
}

/**
 * Reads the links of a token of either draft, signed or unsigned. Takes time linear in the length of `token`; the caller limits that
 * length.
 */
export function peekLinks(token: string): Links {
  const { jti, exec_act, ...payload } = payloadOf(token);
  const pred = payload[NAMES['01'].pred] ?? payload[NAMES['00'].pred];
  return {
    jti: typeof jti === 'string' ? jti : '',
    pred: Array.isArray(pred) && pred.length <= MAX_PREDECESSORS ? pred.filter((id) => typeof id === 'string') : [],
    exec_act: typeof exec_act === 'string' ? exec_act : '',
  };
}

function payloadOf(token: string): JsonObject {
  if (looksCompact(token)) {
    const read = readCompact(token);
    return read.ok ? read.parts.payload : {};
  }
  const content = readUnsigned(token);
  return typeof content === 'string' ? {} : content.payload;
}

/** The unverified claims that a permission may depend on. What cannot be read is empty. */
interface PeekedClaims {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly exec_act: string;
  readonly wid: string;
}

/**
 * Reads these claims of a token of either draft, signed or unsigned. Takes time linear in the length of `token`; the caller limits that
 * length.
 */
export function peekClaims(token: string): PeekedClaims {
  const { iss, aud, exec_act, wid } = payloadOf(token);
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const names: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return {
    iss: text(iss),
    aud: names.filter((name) => typeof name === 'string'),
    exec_act: text(exec_act),
    wid: text(wid),
  };
}

/**
 * Returns the `kid` in the header of a signed token and the `iss` in its payload. Either is empty if it is absent. Returns undefined for
 * any other text. Takes time linear in the length of `token`; the caller limits that length.
 */
export function peekKey(token: string): { readonly kid: string; readonly iss: string } | undefined {
  const read = looksCompact(token) ? readCompact(token) : undefined;
  if (read?.ok !== true) return undefined;
  const { kid } = read.parts.header;
  const { iss } = read.parts.payload;
  return typeof kid === 'string' ? { kid, iss: typeof iss === 'string' ? iss : '' } : undefined;
}
