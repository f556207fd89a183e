// What Issue is asked for, and what it makes of it.

import type { Claims, Draft, JsonObject, Level } from '../token/index.ts';

/** The task for which a caller requests a token. Empty strings and undefined mean the defaults. */
export interface IssueInput {
  readonly execAct: string;
  readonly aud: readonly string[];
  readonly pred: readonly string[];
  readonly wid: string;
  readonly jti: string;
  readonly iss: string;
  readonly ttlSeconds: number | undefined;
  readonly inpHash: string;
  readonly outHash: string;
  /** The extension object and the exact text that goes into the token. */
  readonly ext: ExtensionInput | undefined;
  readonly draft: Draft;
  readonly level: Level;
  /** For L3: whether the token waits for its entry, or leaves as L2 and its entry follows. */
  readonly record: 'sync' | 'async';
  /** A retry under the same one gets the same token; empty for none. */
  readonly requestId: string;
}

/** An extension object. `field`: that of the request in which it came. */
export interface ExtensionInput {
  readonly value: JsonObject;
  readonly text: string;
  readonly field?: string;
}

/** A token of ours with what it says. */
export interface OwnToken {
  readonly text: string;
  readonly claims: Claims;
  readonly kid: string;
}
