// Rival: nothing but OpenSSL. Signs or verifies in a loop and says how often it did. Arguments: operation, key file, seconds.
// Like tokens, the inputs differ: over one input again and again a verification takes a little less time than it ever does.

import { createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { readKeyFile } from '../../src/signers/local/index.ts';

/** Operations between two looks at the clock. */
const STRIDE = 50;
/** The signing input of a usual token has about this size. */
const INPUT_BYTES = 600;
const INPUTS = 2_000;

const [operation = '', keyFile = '', length = ''] = process.argv.slice(2);
const privateKey = await readKeyFile(keyFile);
const publicKey = createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const inputs = Array.from({ length: INPUTS }, () => randomBytes(INPUT_BYTES));
const signatures = inputs.map((input) => sign('sha256', input, privateKey));
let turn = 0;
const once =
  operation === 'sign'
    ? () => sign('sha256', inputs[turn++ % INPUTS]!, privateKey)
    : () => verify('sha256', inputs[turn % INPUTS]!, publicKey, signatures[turn++ % INPUTS]!);

function repeat(seconds: number) {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let units = 0;
  while (performance.now() - startedAt < seconds * 1000) {
    for (let done = 0; done < STRIDE; done++) once();
    units += STRIDE;
  }
  const cpu = process.cpuUsage(cpuBefore);
  const took = (performance.now() - startedAt) / 1000;
  return { units, seconds: took, cpuSeconds: (cpu.user + cpu.system) / 1e6, rssBytes: process.memoryUsage.rss() };
}

const WARM_UP_SECONDS = 0.1;
repeat(WARM_UP_SECONDS);
process.stdout.write(JSON.stringify(repeat(Number(length))));
