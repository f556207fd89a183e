// `ect append`: records a token in the ledger and saves its receipt.

import { Command, Option } from 'commander';
import { type AppendLedgerResponse, AppendLedgerResponseSchema } from '../gen/ect/v1/authority_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { checkLines, dryRunLine, holds } from './describe.ts';
import { entryRows } from './entry-rows.ts';
import { EXIT } from './exit.ts';
import { attemptCalls } from './failure.ts';
import { withHelp } from './help.ts';
import { columns, type Io, type OutputOptions, paint, print, printMessage, remark, withOutput } from './output.ts';
import { receiptLine, receiptOutOption, writeReceipt } from './receipt.ts';
import { readText } from './values.ts';

interface AppendOptions extends ServiceOptions, OutputOptions {
  readonly dryRun?: true;
  readonly receiptOut?: string;
}

export function appendCommand(io: Io): Command {
  const command = new Command('append')
    .description('record a token in the ledger; the answer comes when the entry is durable')
    .argument('<token>', 'the token, @file, or - for stdin')
    .addOption(new Option('--dry-run', 'check everything and print the checks; record nothing').conflicts('receiptOut'))
    .addOption(receiptOutOption());
  withHelp(withOutput(withService(command)), {
    examples: ['ect append "$TOKEN" --receipt-out order.tlog-proof'],
    rejected: 'the service rejected the request, or could not be reached; trying again is safe',
  });
  return command.action((token: string, options: AppendOptions) =>
    attemptCalls(io, options, async ({ authority }) => {
      const response = await authority.appendLedger({
        token: await readText(io, token),
        dryRun: options.dryRun ?? false,
      });
      if (!holds(response.checks)) io.exitCode = EXIT.rejected;
      const { entry, receipt } = response;
      const files = options.receiptOut && receipt ? await writeReceipt(options.receiptOut, receipt) : [];
      if (options.json) {
        printMessage(io, AppendLedgerResponseSchema, response);
        return;
      }
      print(io, paint(io.stdout, holds(response.checks) ? 'green' : 'red', headline(response, options)));
      for (const line of columns(entry ? entryRows(entry) : [])) print(io, `  ${line}`);
      if (receipt) print(io, `  ${receiptLine(receipt)}`);
      for (const line of checkLines(io, response.checks)) print(io, line);
      for (const line of files) remark(io, line);
    }),
  );
}

function headline({ duplicate, checks }: AppendLedgerResponse, { dryRun }: AppendOptions): string {
  if (duplicate) return '✓ it was recorded before; nothing was added';
  return dryRun ? dryRunLine(checks) : '✓ recorded';
}
