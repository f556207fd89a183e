// Converts errors into messages with a remedy: reasons of the service, a service that cannot be reached, and rejections of the command
// itself. It never prints a stack trace.

import { Code, ConnectError } from '@connectrpc/connect';
import { SERVER_ID_CODE } from '../callers/server-id.ts';
import { EctError, type ErrorReason, REASONS, remedyFor } from '../errors.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { connect, type Service, type ServiceOptions } from './client.ts';
import { EXIT, type Failure, Rejected, STORE_REMEDY, WrongUsage } from './exit.ts';
import { howToGetHelp } from './help-command.ts';
import { type Io, type OutputOptions, plain, printFailure, remark } from './output.ts';
import { failureInOptions, runningCommand, type Violation } from './request-fields.ts';

/** Runs the body of a command. An exception is printed and determines the exit code. */
export async function attempt(io: Io, options: OutputOptions, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof WrongUsage) {
      io.exitCode = EXIT.usage;
      remark(io, `error: ${plain(error.message)}`);
      for (const fault of error.faults) remark(io, `  ${plain(fault)}`);
      // The parser ends its own rejections in the same way.
      const command = runningCommand(io);
      if (command !== undefined) remark(io, howToGetHelp(command));
      return;
    }
    const failure = explain(error);
    io.exitCode = failure.isUsage === true ? EXIT.usage : EXIT.rejected;
    printFailure(io, options, failure);
  }
}

/** Runs the body of a command that calls the service, with one connection, which is closed at the end. */
export async function attemptCalls(
  io: Io,
  options: ServiceOptions & OutputOptions,
  body: (service: Service) => Promise<void>,
): Promise<void> {
  await attempt(io, options, async () => {
    const service = connect(options);
    try {
      await body(service);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      throw new Rejected(failureInOptions(io, explainCall(error, options), violationsOf(error)));
    } finally {
      service.close();
    }
  });
}

const OF_STORES: ReadonlySet<ErrorReason> = new Set([
  'LEDGER_UNAVAILABLE',
  'IDEMPOTENCY_UNAVAILABLE',
  'REPLAY_GUARD_UNAVAILABLE',
]);

function explain(error: unknown): Failure {
  if (error instanceof Rejected) return error.failure;
  if (error instanceof EctError) {
    const { reason, message, metadata } = error;
    // The usual remedies for stores are written for callers of a service: they say to try again.
    const isOfStore = OF_STORES.has(reason) && error.remedy === remedyFor(reason);
    return { reason, message, remedy: isOfStore ? STORE_REMEDY : error.remedy, metadata };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { reason: 'failed', message, remedy: '', metadata: {} };
}

/** Returns the fields of the request that a service has rejected, with its sentences about them. */
function violationsOf(error: ConnectError): readonly Violation[] {
  const named = error.findDetails(ErrorInfoSchema).map(({ metadata }) => ({
    field: metadata['field'] ?? '',
    description: '',
  }));
  const violated = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  return [...named, ...violated].filter(({ field }) => field !== '');
}

/** Explains a failed call. Text of the service is data: it is printed through `plain`. */
function explainCall(error: ConnectError, options: ServiceOptions): Failure {
  const info = error.findDetails(ErrorInfoSchema)[0];
  if (info) {
    return { reason: info.reason, ...splitMessage(info.reason, error.rawMessage), metadata: info.metadata };
  }
  if (error.code === Code.DeadlineExceeded) {
    const message = `no answer from ${options.url} within ${options.timeout} ms`;
    return { reason: 'timeout', message, remedy: 'Try again, or allow more time with --timeout.', metadata: {} };
  }
  // Errors of the service always have ErrorInfo, so this error does not come from the service.
  return unreachable(error, options.url);
}

/**
 * Splits a message of the service, which ends with the remedy, because some clients show only the message. If the remedy is not the usual
 * one of the reason, the message is not split.
 */
export function splitMessage(reason: string, text: string): Pick<Failure, 'message' | 'remedy'> {
  const remedy = Object.hasOwn(REASONS, reason) ? remedyFor(reason as ErrorReason) : '';
  const isKnown = remedy !== '' && text.endsWith(remedy);
  return isKnown ? { message: text.slice(0, -remedy.length).trimEnd(), remedy } : { message: text, remedy: '' };
}

/** Explains an error of the connection: it failed, or the peer does not speak gRPC. */
function unreachable(error: ConnectError, url: string): Failure {
  const codes = errorCodes(error);
  const failure = (reason: string, message: string, remedy: string) => ({ reason, message, remedy, metadata: {} });
  if (codes.some((code) => /^(ENOTFOUND|EAI_AGAIN)$/.test(code))) {
    const next = 'Check the name in --url or ECT_URL, and that this machine can resolve it.';
    return failure('unreachable', `the host of ${url} has no address (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => /^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code))) {
    const next = 'Check the network between, a firewall for one, and the address in --url or ECT_URL.';
    return failure('unreachable', `no connection to ${url} (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => /^(ENOENT|EACCES|ENOTSOCK)$/.test(code)) && url.startsWith('unix:')) {
    const next = 'Check the path in --url or ECT_URL, and that this user may write the socket there.';
    return failure('unreachable', `no connection to ${url} (${codes.join(', ')})`, next);
  }
  if (codes.includes('ECONNREFUSED')) {
    const next = 'Start it with `ect serve`, or name another with --url.';
    return failure('unreachable', `nothing answers at ${url}`, next);
  }
  if (codes.includes(SERVER_ID_CODE)) {
    const next = 'Check --url and --server-id, and that the certificate of the service is the X.509-SVID of that ID.';
    return failure('tls', `what answers at ${url} has not proved the SPIFFE ID of --server-id`, next);
  }
  if (codes.some((code) => /ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)/.test(code))) {
    const next = 'Check --url or ECT_URL: a service without TLS has an address that begins with http://.';
    return failure('tls', `what answers at ${url} does not speak TLS (${codes.join(', ')})`, next);
  }
  if (codes.some((code) => /CERT|ISSUER|ERR_TLS|ERR_SSL|EPROTO/.test(code))) {
    const next = 'Check --url; give the CA of the service with --ca, your own certificate with --cert and --cert-key.';
    return failure('tls', `no TLS connection to ${url} (${codes.join(', ')})`, next);
  }
  const next = 'Check --url: http:// for a service without TLS, https:// for one with it.';
  const message = `what answers at ${url} is not an ECT authority, or it hung up (${error.rawMessage})`;
  return failure('unreachable', message, next);
}

/** Returns the error codes of the system and of TLS in the chain of causes, outermost first. */
function errorCodes(error: unknown): readonly string[] {
  const codes: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap((inner) => errorCodes(inner)));
  }
  return codes;
}
