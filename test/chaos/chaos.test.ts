// Everything at once that the machine under the service may do, for CHAOS_SECONDS, over one directory and under load; then a
// checker that shares no code with the product. CHAOS_SEED inflicts the same faults again. `npm run test:chaos`.

import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeWithFakeTime } from '../support/fake-time.ts';
import { check, PYTHON_NEED, python } from './checker.ts';
import { runChaos } from './run.ts';

const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 0);
const SEED = Number(process.env['CHAOS_SEED'] ?? randomInt(2 ** 31));
/** An empty folder in which everything is left, also where nothing is found. */
const KEPT = process.env['CHAOS_FOLDER'];
/** Only these kinds of faults, separated by commas. */
const FAULTS = process.env['CHAOS_FAULTS']?.split(',');

describeWithFakeTime('a chaos run', () => {
  test.runIf(SECONDS > 0)(
    'L1 L2 L3 L8 L11 L12 L13 L15 L17 L25 R8 C3 C4 K8 D1: nothing that was acknowledged is lost, doubled or contradicted',
    async () => {
      if (python === undefined) throw new Error(`this needs ${PYTHON_NEED}`);
      console.info(`CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS}`);
      const folder = KEPT ?? (await mkdtemp(join(tmpdir(), 'ect-chaos-')));
      const options = { folder, seed: SEED, seconds: SECONDS, ...(FAULTS === undefined ? {} : { faults: FAULTS }) };
      const { inflicted, journal, dataDir } = await runChaos(options);
      const { ok, findings, counts, sentences } = await check(journal, join(dataDir, 'ledger.db'));
      console.info(JSON.stringify({ inflicted: Object.fromEntries(inflicted), counts, findings }));
      // What was found is kept, with all that it takes to look into it.
      if (!ok) console.error([`left in ${folder}`, ...sentences].join('\n'));
      expect(sentences).toEqual([]);
      expect(ok).toBe(true);
      if (KEPT === undefined) await rm(folder, { recursive: true });
    },
    (SECONDS + 600) * 1000,
  );
});
