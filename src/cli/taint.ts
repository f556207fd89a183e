// `ect taint`: marks a task or a key as compromised. For administrators.

import { Command, Option } from 'commander';
import { type MarkCompromisedRequest, MarkCompromisedResponseSchema } from '../gen/ect/v1/admin_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { type ConfirmOptions, confirm, withConfirmation } from './confirm.ts';
import { entryRows } from './entry-rows.ts';
import { WrongUsage } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, print, printMessage, remark, utc, withOutput } from './output.ts';
import { receiptLine, receiptOutOption, writeReceipt } from './receipt.ts';
import { type Moment, moment } from './values.ts';

interface TaintOptions extends ServiceOptions, OutputOptions, ConfirmOptions {
  readonly jti?: string;
  readonly wid?: string;
  readonly kid?: string;
  readonly since?: Moment;
  readonly note?: string;
  readonly receiptOut?: string;
}

export function taintCommand(io: Io): Command {
  const command = new Command('taint')
    .description(
      'mark a task or a key as compromised, irrevocably; the tasks after it are shown as tainted from then on',
    )
    .addOption(new Option('--jti <uuid>', 'task id').conflicts('kid'))
    .addOption(new Option('--wid <uuid>', 'workflow of the task; needed if it has one').conflicts('kid'))
    .option('--kid <kid>', 'key id: its tokens are no longer accepted, and a key of the service is revoked')
    .addOption(
      new Option('--since <time>', 'with --kid: what was recorded before stays valid (default: now)')
        .argParser(moment)
        .conflicts('jti'),
    )
    .option('--note <text>', 'why, for people: at most 256 characters')
    .addOption(receiptOutOption());
  withHelp(withOutput(withService(withConfirmation(command))), {
    examples: [
      'ect taint --jti "$JTI" --wid "$WID" --note "agent was hijacked"',
      'ect taint --kid "$KID" --since 2026-01-31T12:00:00Z',
    ],
    rejected: 'you are no administrator of the service (ECT_ADMINS), or it could not be reached; trying again is safe',
  });
  return command.action((options: TaintOptions) =>
    attemptCalls(io, options, async ({ admin }) => {
      const { note = '', receiptOut, since } = options;
      const subject = readSubject(options);
      await confirm(io, options, consequenceOf(options));
      const compromisedSince = since === undefined ? {} : { compromisedSince: since };
      const response = await admin.markCompromised({ subject, note, ...compromisedSince });
      const { entry, receipt, duplicate, subjectKnown } = response;
      const files = receiptOut && receipt ? await writeReceipt(receiptOut, receipt) : [];
      if (subjectKnown === false) remark(io, paint(io.stderr, 'yellow', `! ${unknownSubject(options)}`));
      if (options.json) {
        printMessage(io, MarkCompromisedResponseSchema, response);
        return;
      }
      print(
        io,
        paint(io.stdout, 'green', duplicate === true ? '✓ it was marked before; nothing was added' : '✓ marked'),
      );
      for (const line of columns(entry ? entryRows(entry) : [])) print(io, `  ${line}`);
      if (receipt) print(io, `  ${receiptLine(receipt)}`);
      for (const line of files) remark(io, line);
    }),
  );
}

function consequenceOf({ jti, kid, since }: TaintOptions): string {
  if (kid === undefined) return `The task ${jti} and the tasks after it will be shown as tainted.`;
  const from = since === undefined ? 'now' : utc(since.seconds);
  return (
    `No token of the key ${kid} will be accepted any more. Its tasks, except those that were recorded before ${from}, and the tasks ` +
    'after them will be shown as tainted.'
  );
}

/** A mark is accepted for every id, also for one that is mistyped. Then the task or key that was meant is not marked. */
function unknownSubject({ wid, kid }: TaintOptions): string {
  if (kid !== undefined) {
    return (
      'the service has no key with this id, neither its own nor of a trusted issuer. If the id is wrong, the compromised key is not ' +
      'marked: `ect keys list` and the header of a token name key ids'
    );
  }
  const wrong = 'If an id is wrong, the compromised task is not marked: `ect list entries` lists all tasks';
  return wid === undefined
    ? `the ledger has no such task without a workflow: repeat the command with --wid if the task has one. ${wrong}`
    : `the ledger has no such task in this workflow. ${wrong}`;
}

function readSubject({ jti, wid, kid }: TaintOptions): MarkCompromisedRequest['subject'] {
  if (kid !== undefined) return { case: 'kid', value: kid };
  if (jti === undefined) throw new WrongUsage('name what is compromised: --jti (and --wid), or --kid');
  return { case: 'task', value: { $typeName: 'ect.v1.TaskName', jti, wid: wid ?? '' } };
}
