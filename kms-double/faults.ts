// What can be made to go wrong, and for which requests. A script is a list of rules; the first that fits is used.

import type { KmsErrorName } from './kms-error.ts';

export type Fault =
  /** Rejects with an error of the API. */
  | { readonly kind: 'error'; readonly name: KmsErrorName }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** Answers the headers, and never the body. */
  | { readonly kind: 'stall' }
  /** Cuts the connection before anything is done. */
  | { readonly kind: 'reset' }
  /** Does what was asked for, then cuts the connection. */
  | { readonly kind: 'lost' }
  /** Answers this page with this status. */
  | { readonly kind: 'page'; readonly status: number; readonly type: string; readonly body: string }
  /** Answers the request after so long. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Changes members of the answer; undefined takes one away. */
  | { readonly kind: 'answer'; readonly members: Readonly<Record<string, unknown>> }
  /** Sign: a good signature of the right digest with the high `s`, or of another digest. */
  | { readonly kind: 'high-s' }
  | { readonly kind: 'other-digest' };

/** Which requests a rule is for. What is left out fits every request. */
export interface Match {
  readonly operation?: string;
  readonly region?: string;
  /** How many requests it is used for. Default: all, until the script is cleared. */
  readonly times?: number;
}

export class Script {
  readonly #rules: { readonly match: Match; readonly fault: Fault; left: number }[] = [];

  add(fault: Fault, match: Match = {}): void {
    this.#rules.push({ match, fault, left: match.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** The fault for a request, if there is one; a rule that is used up is passed over. */
  next(operation: string, region: string): Fault | undefined {
    const rule = this.#rules.find(
      ({ match, left }) =>
        left > 0 && operation === (match.operation ?? operation) && region === (match.region ?? region),
    );
    if (rule === undefined) return undefined;
    rule.left--;
    return rule.fault;
  }
}
