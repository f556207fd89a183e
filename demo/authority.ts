// The calls that the story makes, in the shapes of the protos.

import type { Channel } from './grpc.ts';

/** What an agent did, as it asks to have it attested. The bytes are hashed by the service and forgotten. */
export interface TaskOrder {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly exec_act: string;
  readonly wid: string;
  readonly pred: readonly string[];
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

export interface Issued {
  readonly token: string;
  readonly claims: { readonly jti: string; readonly inp_hash: string; readonly out_hash: string };
}

export interface VerifyInput {
  readonly token: string;
  readonly audience: string;
  readonly predecessor_tokens: readonly string[];
  readonly dag_mode: 'DAG_MODE_COMPLETE';
  readonly verify_mode: 'VERIFY_MODE_REPORT';
  readonly output: Uint8Array;
}

export interface Verdict {
  readonly valid: boolean;
  /** Why not; null where the token is valid. */
  readonly finding: { readonly reason: string; readonly message: string } | null;
  /** Every step. */
  readonly checks: readonly { readonly status: string }[];
}

export interface Receipt {
  readonly leaf: Buffer;
  readonly inclusion: {
    readonly leaf_index: string;
    readonly tree_size: string;
    readonly hashes: readonly Buffer[];
    readonly checkpoint: string;
    readonly salt: Buffer;
  };
}

export interface Graph {
  readonly dag_report: { readonly status: string };
  readonly size: number;
  readonly depth: number;
  readonly drawing: string;
}

export interface Authority {
  issue(task: TaskOrder): Promise<Issued>;
  verify(input: VerifyInput): Promise<Verdict>;
  append(token: string): Promise<{ readonly receipt: Receipt; readonly duplicate: boolean }>;
  validateAncestors(token: string): Promise<Graph>;
  drawWorkflow(wid: string): Promise<Graph>;
  ledgerVerifierKey(): Promise<string>;
}

/** The authority at the other end of a channel. */
export function authorityAt(channel: Channel): Authority {
  const ask = <Answer>(method: string, request: object) =>
    channel.call<Answer>('ect.v1.AuthorityService', method, request);
  return {
    issue: (task) => ask('Issue', task),
    verify: (input) => ask('Verify', input),
    append: (token) => ask('AppendLedger', { token }),
    validateAncestors: (token) => ask('ValidateDAG', { token }),
    drawWorkflow: (wid) => ask('ValidateDAG', { wid, graph_format: 'GRAPH_FORMAT_MERMAID' }),
    ledgerVerifierKey: async () => {
      const keys = await channel.call<{ ledger_verifier_key: string }>('ect.v1.KeyService', 'GetKeySet', {});
      return keys.ledger_verifier_key;
    },
  };
}
