// `ect trust check`: shows whether a service with the settings of this environment would trust a token of a foreign issuer, or the JWT of
// a caller, and why.

import { Command, Option } from 'commander';
import { type Rejection, remedyFor } from '../errors.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, plain, print, printJson, withJson } from './output.ts';
import { readText } from './values.ts';

export interface TrustFindings {
  /** How the token is checked: as an Execution Context Token, or as a JWT that authenticates a caller. */
  readonly kind: 'token' | 'caller';
  /** The content of the token. It is verified only if the token is trusted. */
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The issuer of the trust file for this token. */
  readonly issuer:
    | {
        readonly iss: string;
        readonly source: string;
        readonly keys: readonly string[];
        /** Why there are no keys, or which keys are not used. */
        readonly fault: string;
      }
    | undefined;
  /** The name that the token is trusted for; undefined if it is not trusted. */
  readonly name: string | undefined;
  readonly rejections: readonly (Rejection & { readonly rule: string })[];
}

/** Checks a token with the settings of the environment. `now`: seconds since the epoch. */
export type CheckTrust = (
  token: string,
  options: { readonly audience: string | undefined; readonly now: number },
) => Promise<TrustFindings>;

interface CheckOptions extends OutputOptions {
  readonly audience?: string;
}

const MAX_CHARACTERS = 16_384;

export function trustCommand(io: Io, checkTrust: CheckTrust): Command {
  const command = new Command('check')
    .description('check whether a token of a foreign issuer, or the JWT of a caller, would be trusted, and why')
    .argument('<token>', 'the token, - for stdin, or @file')
    .addOption(new Option('--audience <audience>', 'who verifies: one of the parties in aud of a token'));
  withHelp(withJson(command, ['trusted', 'kind', 'name', 'iss', 'kid', 'issuer', 'rejections']), {
    examples: ['ECT_TRUST_FILE=trust.json ect trust check @token.jwt --audience spiffe://example.org/b'],
    rejected: 'it would not be trusted',
    wrong: 'the configuration has mistakes, or wrong usage',
  });
  command.action((argument: string, options: CheckOptions) =>
    attempt(io, options, async () => {
      const token = await readText(io, argument);
      if (token === '' || token.length > MAX_CHARACTERS) throw new WrongUsage('this is not a token');
      const now = Math.floor(Date.now() / 1000);
      const findings = await checkTrust(token, { audience: options.audience, now });
      if (findings.name === undefined) io.exitCode = EXIT.rejected;
      if (options.json) printAsJson(io, findings);
      else printFindings(io, findings);
    }),
  );
  return new Command('trust').description('check which tokens of foreign issuers are trusted').addCommand(command);
}

function printFindings(io: Io, { kind, header, payload, issuer, name, rejections }: TrustFindings): void {
  const what = kind === 'token' ? 'the token' : 'the JWT of a caller';
  if (name === undefined) print(io, paint(io.stdout, 'red', `✗ ${what} would not be trusted`));
  else print(io, paint(io.stdout, 'green', `✓ ${what} would be trusted, as ${plain(name)}`));
  const rows = [
    ['iss', textOf(payload['iss'])],
    ['sub', textOf(payload['sub'])],
    ['kid', textOf(header['kid'])],
    ['alg', textOf(header['alg'])],
    ['issuer', issuer?.iss ?? 'no issuer in the trust file is responsible for it'],
    ['source', issuer?.source ?? ''],
    ['keys', issuer?.keys.join(', ') ?? ''],
    ['fault', issuer?.fault ?? ''],
  ] as const;
  for (const line of columns(rows)) print(io, `  ${line}`);
  for (const { reason, message, rule } of rejections) {
    print(io, `  ${plain(`${reason}: ${message}`)}`);
    print(io, `    ${plain(rule)} ${plain(remedyFor(reason))}`);
  }
}

function printAsJson(io: Io, { kind, payload, header, issuer, name, rejections }: TrustFindings): void {
  printJson(io, {
    trusted: name !== undefined,
    kind,
    name: name ?? null,
    iss: textOf(payload['iss']),
    kid: textOf(header['kid']),
    issuer: issuer === undefined ? null : { ...issuer, keys: [...issuer.keys] },
    rejections: rejections.map(({ reason, message }) => ({ reason, message })),
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
