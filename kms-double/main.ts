// `npm run kms`: the double by itself, with one key, and the settings to copy. Everything in it is gone when it ends.

import { parseArgs } from 'node:util';
import { startTrialKms } from './trial.ts';

const USAGE = 'npm run kms -- [--port <number>] [--delay-ms <number>] [--requests-per-second <number>]';

/** What the command line says. Ends the process with 2, and how it is called, where that cannot be read. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '0' },
        'delay-ms': { type: 'string', default: '0' },
        'requests-per-second': { type: 'string', default: '1000' },
      },
    });
    return {
      port: whole(values.port, 0, 65_535),
      delayMs: whole(values['delay-ms'], 0, 60_000),
      requestsPerSecond: whole(values['requests-per-second'], 1, 1_000_000),
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return process.exit(2);
  }
}

function whole(text: string, least: number, most: number): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new RangeError(`"${text}" is no whole number from ${least} to ${most}.`);
}

const { double, keyId, settings } = await startTrialKms(readArguments());

process.stdout.write('A double of AWS KMS, for trying only. In another terminal:\n\n');
// A data directory remembers its key, and the next double has another.
const all = { ...settings, ECT_DATA_DIR: `./data/kms-${keyId.slice(0, 8)}` };
for (const [name, value] of Object.entries(all)) process.stdout.write(`export ${name}=${value}\n`);
process.stdout.write('npm start\n\nEnd it with Ctrl-C.\n');

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void double[Symbol.asyncDispose]();
  });
}
