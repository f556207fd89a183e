// `ect issue`: requests a token from the service. Only the token is written to stdout, so that TOKEN=$(ect issue …) works.

import { Command, Option } from 'commander';
import { type IssueRequest, type IssueResponse, IssueResponseSchema, RecordMode } from '../gen/ect/v1/authority_pb.ts';
import { Draft, Level } from '../gen/ect/v1/token_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { checkLines, claimRows, dagLines, dryRunLine, holds, levelName } from './describe.ts';
import { EXIT, WrongUsage } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, print, printMessage, remark, withOutput } from './output.ts';
import { receiptLine } from './receipt.ts';
import { demandOptions } from './required.ts';
import { hashFile, LEVELS, readText, seconds } from './values.ts';

interface IssueOptions extends ServiceOptions, OutputOptions {
  readonly execAct: string;
  readonly aud: readonly string[];
  readonly pred?: readonly string[];
  readonly wid?: string;
  readonly jti?: string;
  readonly iss?: string;
  readonly ttl?: number;
  readonly input?: string;
  readonly inpHash?: string;
  readonly output?: string;
  readonly outHash?: string;
  readonly ext?: string;
  readonly draft?: keyof typeof DRAFTS;
  readonly level?: keyof typeof LEVELS;
  readonly async?: true;
  readonly requestId?: string;
  readonly dryRun?: true;
}

const DRAFTS = { '00': Draft.ECT_00, '01': Draft.ECT_01 } as const;

export function issueCommand(io: Io): Command {
  const command = new Command('issue')
    .description('issue a token for one task and print it')
    .option('--exec-act <name>', 'required: what was done, for example review_spec')
    .option('--aud <uri...>', 'required: who will verify the token; each word up to the next option is one')
    .option('--pred <jti...>', 'the tasks that came directly before; none for a root task')
    .option('--wid <uuid>', 'workflow')
    .option('--jti <uuid>', 'task id (default: a fresh one)')
    .option('--iss <uri>', 'issuer (default: your own identity)')
    .addOption(new Option('--ttl <duration>', 'lifetime (default: 10m)').argParser(seconds))
    .addOption(new Option('--input <file>', 'hash this input here; it is not sent').conflicts('inpHash'))
    .option('--inp-hash <hash>', 'SHA-256 of the input, base64url')
    .addOption(new Option('--output <file>', 'hash this output here; it is not sent').conflicts('outHash'))
    .option('--out-hash <hash>', 'SHA-256 of the output, base64url')
    .option('--ext <json>', 'extension object as JSON text, @file or - for stdin')
    .addOption(new Option('--draft <draft>', 'which draft to write (default: 01)').choices(Object.keys(DRAFTS)))
    .addOption(
      new Option(
        '--level <level>',
        'L1: unsigned; L2 (default): signed; L3: signed, and recorded before it leaves',
      ).choices(Object.keys(LEVELS)),
    )
    .option(
      '--async',
      'with --level L3: return the token before it is recorded; its entry follows (`ect entry --wait 5s` waits for it)',
    )
    .option('--request-id <id>', 'a retry under the same id gets the same token')
    .option('--dry-run', 'check everything and print the claims and the checks; sign and record nothing');
  withHelp(withOutput(withService(command)), {
    examples: [
      'ect issue --exec-act draft_document --aud urn:ect:dev --output draft.md',
      'TOKEN=$(ect issue --exec-act review_spec --aud urn:ect:dev --pred "$DRAFT_JTI" --level L3)',
    ],
    rejected: 'the service rejected the request, or could not be reached',
  });
  return command.action((options: IssueOptions) =>
    attemptCalls(io, options, async ({ authority }) => {
      demandOptions(command, ['--exec-act', '--aud']);
      const response = await authority.issue(await toRequest(io, options));
      if (!holds(response.checks)) io.exitCode = EXIT.rejected;
      if (options.json) printMessage(io, IssueResponseSchema, response);
      else printIssued(io, response);
    }),
  );
}

type Bindings = Pick<IssueRequest, 'inputBinding' | 'outputBinding' | 'extension'>;

async function toRequest(io: Io, options: IssueOptions) {
  const inpHash = options.input === undefined ? options.inpHash : await hashFile(io, options.input);
  const outHash = options.output === undefined ? options.outHash : await hashFile(io, options.output);
  const ext = options.ext === undefined ? undefined : await readText(io, options.ext);
  const bindings: Bindings = {
    inputBinding: inpHash === undefined ? { case: undefined } : { case: 'inpHash', value: inpHash },
    outputBinding: outHash === undefined ? { case: undefined } : { case: 'outHash', value: outHash },
    extension: ext === undefined ? { case: undefined } : { case: 'ectExtJson', value: ext },
  };
  return {
    ...bindings,
    execAct: options.execAct,
    aud: [...options.aud],
    pred: [...(options.pred ?? [])],
    wid: options.wid ?? '',
    jti: options.jti ?? '',
    iss: options.iss ?? '',
    ...(options.ttl === undefined ? {} : { ttl: { seconds: BigInt(options.ttl), nanos: 0 } }),
    level: options.level === undefined ? Level.UNSPECIFIED : LEVELS[options.level],
    draft: options.draft === undefined ? Draft.UNSPECIFIED : DRAFTS[options.draft],
    recordMode: recordMode(options),
    requestId: options.requestId ?? '',
    dryRun: options.dryRun ?? false,
  };
}

function recordMode({ async, level }: IssueOptions): RecordMode {
  if (!async) return RecordMode.UNSPECIFIED;
  if (level !== 'L3') throw new WrongUsage('--async needs --level L3');
  return RecordMode.ASYNC;
}

function printIssued(io: Io, response: IssueResponse): void {
  const isIssued = response.token !== '';
  const headline = isIssued ? `✓ issued, ${levelName(response.level)}` : dryRunLine(response.checks);
  remark(io, paint(io.stderr, holds(response.checks) ? 'green' : 'red', headline));
  const facts = response.claims ? [...claimRows(response.claims), ['kid', response.kid] as const] : [];
  for (const line of columns(facts)) remark(io, `  ${line}`);
  if (response.receipt) remark(io, `  ${receiptLine(response.receipt)}`);
  for (const line of response.dagReport ? dagLines(response.dagReport) : []) remark(io, `  ${line}`);
  for (const line of checkLines(io, response.checks)) remark(io, line);
  if (isIssued) print(io, response.token);
}
