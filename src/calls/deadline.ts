// The deadline of a call: the timeout in its header, limited by a maximum.

import { EctError, reject } from '../errors.ts';

/** The longest time of a unary call, which is also the default, in milliseconds. */
export const MAX_CALL_MS = 60_000;

const GRPC_UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Reads `grpc-timeout`, as gRPC and gRPC-Web write it (`250m`), in milliseconds. Absent: undefined. */
export function readGrpcTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  const factor = GRPC_UNITS[unit ?? ''];
  if (amount === undefined || factor === undefined) throw malformed('grpc-timeout');
  return Number(amount) * factor;
}

/** Reads `connect-timeout-ms`, in milliseconds. Absent: undefined. */
export function readConnectTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value)) throw malformed('connect-timeout-ms');
  return Number(value);
}

function malformed(header: string): EctError {
  return new EctError(reject('REQUEST_MALFORMED', `the header ${header} is not a timeout`));
}
