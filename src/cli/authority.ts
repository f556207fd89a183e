// `ect authority`: shows the identity of a service, what it accepts, and its limits.

import { type DescMessage, type JsonObject, type MessageShape, toJson } from '@bufbuild/protobuf';
import { Command } from 'commander';
import {
  AuthorityFeaturesSchema,
  AuthorityLimitsSchema,
  type GetAuthorityResponse,
  GetAuthorityResponseSchema,
} from '../gen/ect/v1/authority_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, print, printMessage, withOutput } from './output.ts';

export function authorityCommand(io: Io): Command {
  const command = new Command('authority').description('print who a service is, what it accepts, and its limits');
  withHelp(withOutput(withService(command)), {
    examples: ['ect authority', 'ect authority --json'],
    rejected: 'the service could not be reached',
  });
  return command.action((options: ServiceOptions & OutputOptions) =>
    attemptCalls(io, options, async ({ authority }) => {
      const response = await authority.getAuthority({});
      if (options.json) printMessage(io, GetAuthorityResponseSchema, response);
      else printAuthority(io, response);
    }),
  );
}

function printAuthority(io: Io, response: GetAuthorityResponse): void {
  const { issuer, version, signingAlg, verificationAlgs, drafts, jwksUri, ledger, limits, features } = response;
  const rows: readonly (readonly [string, string])[] = [
    ['issuer', issuer],
    ['version', version],
    ['signs with', signingAlg],
    ['verifies', verificationAlgs.join(', ')],
    ['drafts', drafts.join(', ')],
    ['key set', jwksUri],
    ['ledger', ledger?.origin ?? ''],
    ['verifier key', ledger?.verifierKey ?? ''],
    ['ledger audience', ledger?.audience ?? ''],
    ...rowsOf(AuthorityFeaturesSchema, features),
    ...rowsOf(AuthorityLimitsSchema, limits),
  ];
  for (const line of columns(rows)) print(io, line);
}

/** Returns the fields of a message with their names. */
function rowsOf<S extends DescMessage>(
  schema: S,
  message: MessageShape<S> | undefined,
): readonly (readonly [string, string])[] {
  if (message === undefined) return [];
  const fields = toJson(schema, message, { alwaysEmitImplicit: true, useProtoFieldName: true }) as JsonObject;
  return Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
}
