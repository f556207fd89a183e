// Rival: nothing but OpenSSL. Signs or verifies in a loop and says how often it did. Arguments: operation, key file, seconds.

import { createPublicKey, sign, verify } from 'node:crypto';
import { readKeyFile } from '../../src/signers/local/index.ts';

/** Operations between two looks at the clock. */
const STRIDE = 50;
/** The signing input of a usual token has about this size. */
const INPUT_BYTES = 600;

const [operation = '', keyFile = '', length = ''] = process.argv.slice(2);
const privateKey = await readKeyFile(keyFile);
const publicKey = createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
const input = Buffer.alloc(INPUT_BYTES, 'e');
const signature = sign('sha256', input, privateKey);
const once =
  operation === 'sign' ? () => sign('sha256', input, privateKey) : () => verify('sha256', input, publicKey, signature);

function repeat(seconds: number) {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  let units = 0;
  while (performance.now() - startedAt < seconds * 1000) {
    for (let turn = 0; turn < STRIDE; turn++) once();
    units += STRIDE;
  }
  const cpu = process.cpuUsage(cpuBefore);
  const took = (performance.now() - startedAt) / 1000;
  return { units, seconds: took, cpuSeconds: (cpu.user + cpu.system) / 1e6, rssBytes: process.memoryUsage.rss() };
}

const WARM_UP_SECONDS = 0.1;
repeat(WARM_UP_SECONDS);
process.stdout.write(JSON.stringify(repeat(Number(length))));
