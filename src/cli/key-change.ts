// What the commands that change a key share: their options and the output of their results.

import type { Command } from 'commander';
import type { ManagedKey } from '../gen/ect/v1/admin_pb.ts';
import { type ServiceOptions, withService } from './client.ts';
import { keyRows } from './key-rows.ts';
import { columns, type Io, type OutputOptions, paint, print, withOutput } from './output.ts';

export interface ChangeOptions extends ServiceOptions, OutputOptions {
  readonly note?: string;
}

/** The explanation of a rejection in their help pages. */
export const REFUSED =
  'you are no administrator of the service (ECT_ADMINS), or it rejected the request; trying again is safe';

export function withChange(command: Command): Command {
  return withOutput(withService(command.option('--note <text>', 'why, for people: at most 256 characters')));
}

interface Change {
  readonly key?: ManagedKey | undefined;
  readonly duplicate?: boolean | undefined;
}

export function printChange(io: Io, { key, duplicate }: Change, done: string, before: string): void {
  print(io, paint(io.stdout, 'green', `✓ ${duplicate === true ? before : done}`));
  for (const line of columns(key === undefined ? [] : [['kid', key.key?.kid ?? ''], ...keyRows(key)])) {
    print(io, `  ${line}`);
  }
}
