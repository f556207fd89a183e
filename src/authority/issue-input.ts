// The input and the result of Issue.

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
  /** For L3: whether the token waits for its entry, or is returned as L2 before it. */
  readonly record: 'sync' | 'async';
  /** A retry with the same id gets the same token; empty for none. */
  readonly requestId: string;
}

/** An extension object. `field`: its field in the request. */
export interface ExtensionInput {
  readonly value: JsonObject;
  readonly text: string;
  readonly field?: string;
}

/** A token of this service with its claims. */
export interface OwnToken {
  readonly text: string;
  readonly claims: Claims;
  readonly kid: string;
}
