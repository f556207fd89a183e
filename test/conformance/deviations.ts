// Where we knowingly differ from what the Connect conformance runner expects of a gRPC server, and why. A complaint that
// is not described here is a fault; a description that no complaint meets is out of date.

export interface Deviation {
  /** The cases: the end of their names, after what varies from one permutation to the next. Default: all. */
  readonly cases?: RegExp;
  readonly complaint: RegExp;
  readonly why: string;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    complaint: /^actual error contain [123] details; expecting [01]$/,
    why: 'every failure carries a google.rpc.ErrorInfo, and more where it helps',
  },
  {
    cases: /^(Errors|Duplicate Metadata)\/unary\/[a-z-]+$/,
    complaint: /^actual error detail #1 does not match expected error detail: - wanted, \+ got$/,
    why: 'procedures reject with a reason and its facts, not with details of their own making',
  },
  {
    cases: /^(Errors|Duplicate Metadata)\/unary\/[a-z-]+$/,
    complaint: /^actual error \{code: \d+ \(\w+\), message: "(.+)\. .+"\} does not match expected message "\1"$/,
    why: 'the message of a failure continues with its remedy',
  },
  {
    cases: /^(Errors\/unary\/error-with-metadata$|Duplicate Metadata|Basic|Server Empty Requests)/,
    complaint: /^actual (request headers|response headers|response trailers) missing "x-[a-z-]+"$/,
    why: 'procedures neither see nor set metadata: nothing in this API depends on it',
  },
  {
    cases: /^Deadline Propagation/,
    complaint: /^server did not echo back a timeout but one was expected \(\d+ ms\)$/,
    why: 'procedures learn when the deadline has passed, not how much time is left',
  },
  {
    cases: /^Errors\/unary\/(aborted|unknown)$/,
    complaint:
      /^actual error \{code: 13 \(internal\), .*\} does not match expected code (10 \(aborted\)|2 \(unknown\))$/,
    why: 'no reason has the code ABORTED or UNKNOWN',
  },
  {
    cases: /^gRPC Unexpected Requests\/(unary\/multiple-requests|unary\/no-request|unexpected-compression)$/,
    complaint: /^actual error \{code: 3 \(invalid_argument\), .*\} does not match expected code 12 \(unimplemented\)$/,
    why: 'a reason has one code: REQUEST_MALFORMED is INVALID_ARGUMENT, since UNIMPLEMENTED would deny the method',
  },
  {
    cases: /^gRPC Unexpected Requests\/unexpected-compressed-message$/,
    complaint: /^actual error \{code: 3 \(invalid_argument\), .*\} does not match expected code 13 \(internal\)$/,
    why: 'the fault is the caller’s, and INTERNAL would be counted as ours',
  },
];
