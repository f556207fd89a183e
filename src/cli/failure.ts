// Converts errors into messages with a remedy: reasons of the service, a service that cannot be reached, and rejections of the command
// itself. It never prints a stack trace.

import { Code, ConnectError } from '@connectrpc/connect';
import { EctError, type ErrorReason, REASONS, remedyFor } from '../errors.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { connect, type Service, type ServiceOptions } from './client.ts';
import { unreachable } from './connection-failure.ts';
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

/** The remedy of the service covers every way to authenticate. This one is for a command that used none. */
const PROVE_WHO_YOU_ARE =
  'Give your certificate with --cert and --cert-key (ECT_CERT, ECT_KEY), or a JWT with --token-file (ECT_TOKEN_FILE).';

function isNobody({ cert, tokenFile }: ServiceOptions): boolean {
  return cert === undefined && tokenFile === undefined;
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
    const failure = { reason: info.reason, ...splitMessage(info.reason, error.rawMessage), metadata: info.metadata };
    return info.reason === 'CALLER_UNTRUSTED' && isNobody(options)
      ? { ...failure, remedy: PROVE_WHO_YOU_ARE }
      : failure;
  }
  if (error.code === Code.DeadlineExceeded) {
    const message = `no answer from ${options.url} within ${options.timeout} ms`;
    return { reason: 'timeout', message, remedy: 'Try again, or allow more time with --timeout.', metadata: {} };
  }
  // Errors of the service always have ErrorInfo, so this error does not come from the service.
  return unreachable(error, options);
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
