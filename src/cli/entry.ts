// `ect entry`: shows one entry of the ledger.

import { Command, Option } from 'commander';
import { GetEntryResponseSchema } from '../gen/ect/v1/ledger_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { contentOf, entryRows } from './entry-rows.ts';
import { WrongUsage } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, plain, print, printMessage, remark, withOutput } from './output.ts';
import { receiptLine, receiptOutOption, writeReceipt } from './receipt.ts';
import { awaitEntry } from './recording.ts';
import { ledgerIndex, lookupId, milliseconds } from './values.ts';

interface EntryOptions extends ServiceOptions, OutputOptions {
  readonly jti?: string;
  readonly wid?: string;
  readonly index?: bigint;
  readonly wait?: number;
  readonly receiptOut?: string;
}

export function entryCommand(io: Io): Command {
  const command = new Command('entry')
    .description('show one entry of the ledger and its receipt against the current checkpoint')
    .addOption(new Option('--jti <uuid>', 'task id').conflicts('index').argParser(lookupId))
    .addOption(
      new Option('--wid <uuid>', 'workflow of the task; needed if it has one').conflicts('index').argParser(lookupId),
    )
    .addOption(new Option('--index <number>', 'position in the ledger, from 0').argParser(ledgerIndex))
    .addOption(
      new Option('--wait <duration>', 'how long to wait for a pending entry')
        .conflicts('index')
        .argParser(milliseconds),
    )
    .addOption(receiptOutOption());
  withHelp(withOutput(withService(command)), {
    examples: [
      'ect entry --jti "$JTI" --wid "$WID"',
      'ect entry --jti "$JTI" --wait 30s',
      'ect entry --index 0 --json',
    ],
    rejected: 'there is no such entry, or none yet, or the service could not be reached',
  });
  return command.action((options: EntryOptions) =>
    attemptCalls(io, options, async ({ ledger }) => {
      const { jti, wid, index, wait, receiptOut } = options;
      if (jti === undefined && index === undefined)
        throw new WrongUsage('name an entry: --jti (and --wid), or --index');
      const task = { jti: jti ?? '', wid: wid ?? '' };
      const name =
        index === undefined ? ({ case: 'task', value: task } as const) : ({ case: 'index', value: index } as const);
      const response =
        wait === undefined
          ? await ledger.getEntry({ name })
          : await awaitEntry({ ledger }, { ...task, waitMs: wait, timeoutMs: options.timeout });
      const { entry, receipt } = response;
      const files = receiptOut && receipt ? await writeReceipt(receiptOut, receipt) : [];
      if (options.json) {
        printMessage(io, GetEntryResponseSchema, response);
        return;
      }
      for (const line of columns(entry ? entryRows(entry) : [])) print(io, line);
      if (receipt) print(io, receiptLine(receipt));
      const content = entry && contentOf(entry);
      print(io, content ? plain(content) : 'its content has been erased');
      for (const line of files) remark(io, line);
    }),
  );
}
