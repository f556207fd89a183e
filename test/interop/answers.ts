// Answers of the service as gRPC clients read them from the protos, with the fields that the tests look at.

export interface Issued {
  readonly token: string;
  readonly kid: string;
  readonly claims: { readonly jti: string; readonly iss: string; readonly exp: string };
}

export interface Verdict {
  readonly valid: boolean;
  readonly reason: string;
  readonly level: string;
}

export interface Graph {
  readonly status: string;
  readonly size: number;
  readonly roots: readonly string[];
  readonly leaves: readonly string[];
}

export interface Entry {
  readonly index: string;
  readonly jti: string;
  readonly leaf: Buffer;
  readonly token: string;
}

export interface Receipt {
  readonly tree_size: string;
  readonly checkpoint: string;
  readonly tlog_proof: string;
}

export interface Recorded {
  readonly entry: Entry;
  readonly receipt: Receipt;
  readonly duplicate: boolean;
}

export interface Page {
  readonly entries: readonly Entry[];
  readonly next_page_token: string;
}
