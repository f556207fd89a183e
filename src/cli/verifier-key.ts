// The verifier key of a ledger, as an option has it.

import { parseVerifierKey } from '../ledger/index.ts';
import { WrongUsage } from './exit.ts';
import type { Io } from './output.ts';
import { readText } from './values.ts';

/** Reads `--ledger-key`: the key itself, `@file`, or `-`. A text that is no key would otherwise make every entry look damaged. */
export async function readVerifierKey(io: Io, argument: string): Promise<string> {
  const key = await readText(io, argument);
  if (parseVerifierKey(key) !== undefined) return key;
  throw new WrongUsage(
    '--ledger-key is no verifier key: it is the line <name>+<8 hex digits>+<base64> that `ect checkpoint --key` prints, or @file with that line',
  );
}
