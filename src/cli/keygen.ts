// `ect keygen`: creates a signing key (P-256, PKCS#8 PEM) or a ledger key, in a new file that only its owner can read.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Command } from 'commander';
import { describePublicKey } from '../keys/index.ts';
import { generateLedgerKey, openLedgerKey } from '../ledger/index.ts';
import { attempt } from './failure.ts';
import { withHelp } from './help.ts';
import { writeNewFile } from './new-file.ts';
import { columns, type Io, type OutputOptions, print, printJson, remark, withJson } from './output.ts';
import { ledgerOrigin } from './values.ts';

interface KeygenOptions extends OutputOptions {
  readonly out: string;
  readonly ledger?: string;
}

const REMEDY = 'Name another file with --out.';

export function keygenCommand(io: Io): Command {
  const command = new Command('keygen')
    .description('make a key in a new file (mode 0600) and print its public part')
    .requiredOption('--out <file>', 'the new file; an existing one is never touched')
    .option('--ledger <origin>', 'make the key of a ledger of this name instead of a signing key', ledgerOrigin);
  withHelp(withJson(command, ['kid', 'jwk', 'or, with --ledger, origin', 'ledgerVerifierKey']), {
    examples: ['ect keygen --out signer.pem', 'ect keygen --ledger ledger.example/ect --out ledger.key'],
    rejected: 'the file exists already, or cannot be written',
  });
  return command.action((options: KeygenOptions) =>
    attempt(io, options, () =>
      options.ledger === undefined ? makeSigningKey(io, options) : makeLedgerKey(io, options, options.ledger),
    ),
  );
}

async function makeSigningKey(io: Io, options: KeygenOptions): Promise<void> {
  const { privateKey }: { privateKey: KeyObject } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { jwk } = await describePublicKey(privateKey);
  await writeNewFile(options.out, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), REMEDY);
  remark(io, `private key: ${options.out}`);
  if (options.json) {
    printJson(io, { kid: jwk.kid, jwk: { ...jwk } });
    return;
  }
  const facts = [['kid', jwk.kid] as const, ['jwk', JSON.stringify(jwk)] as const];
  for (const line of columns(facts)) print(io, line);
}

async function makeLedgerKey(io: Io, options: KeygenOptions, origin: string): Promise<void> {
  const text = generateLedgerKey(origin);
  const { verifierKey } = openLedgerKey(text);
  await writeNewFile(options.out, `${text}\n`, REMEDY);
  remark(io, `private key: ${options.out}`);
  if (options.json) printJson(io, { origin, ledgerVerifierKey: verifierKey });
  else print(io, verifierKey);
}
