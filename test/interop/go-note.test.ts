// A stranger judges the ledger: Go's sumdb/note and sumdb/tlog, which know nothing of this code.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { generateLedgerKey, Ledger, openCheckpoint, openLedgerKey } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { candidatesOf } from '../support/candidates.ts';
import { describeWith } from '../support/need.ts';
import { BUILD_MS } from './run-program.ts';

const ORIGIN = 'ledger.example/ect';
const SIZE = 40;

interface GoAnswer {
  readonly Checkpoints: number;
  readonly Inclusions: number;
  readonly Consistencies: number;
  readonly Refused: number;
  readonly SignedWithYourKey: string;
  readonly OwnVerifierKey: string;
  readonly OwnPrivateKey: string;
  readonly SignedWithOwnKey: string;
}

/** Appends one entry at a time and keeps every checkpoint; then takes every proof that there is. */
async function gatherEvidence(privateKey: string) {
  const key = openLedgerKey(privateKey);
  const ledger = await Ledger.open({ store: new MemoryLedgerStore(), key, nowMs: () => 1_772_000_000_000 });
  const heads = [await ledger.checkpoint()];
  const leaves: Uint8Array[] = [];
  for (const candidate of candidatesOf(SIZE)) {
    leaves.push((await ledger.append(candidate)).record.leaf);
    heads.push(await ledger.checkpoint());
  }
  const inclusions = [];
  const consistencies = [];
  for (let second = 1; second <= SIZE; second += 1) {
    for (let index = 0; index < second; index += 1) inclusions.push(await ledger.inclusionProof(index, second));
    for (let first = 1; first <= second; first += 1) {
      const proof = await ledger.consistencyProof(first, second);
      consistencies.push({ ...proof, firstRoot: heads[first]?.root, secondRoot: heads[second]?.root });
    }
  }
  const checkpoints = heads.map(({ note }) => note);
  return { privateKey, verifierKey: key.verifierKey, origin: ORIGIN, checkpoints, leaves, inclusions, consistencies };
}

/** Go reads byte slices as base64. Buffers would print themselves as objects, so they are turned before `toJSON` is asked. */
function toGoJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, name, printed: unknown) {
    const original = this[name];
    return original instanceof Uint8Array ? Buffer.from(original).toString('base64') : printed;
  });
}

describeWith('go', 'L12 L11 the ledger, judged by sumdb of Go', () => {
  test(
    'every checkpoint and proof verifies there, what is tampered fails there, and keys and notes are exchangeable',
    async () => {
      const privateKey = generateLedgerKey(ORIGIN);
      const evidence = await gatherEvidence(privateKey);
      const run = spawnSync('go', ['run', '.'], {
        cwd: new URL('go-note/', import.meta.url),
        input: toGoJson(evidence),
        encoding: 'utf8',
        timeout: BUILD_MS,
      });
      expect(run.stderr.replaceAll(/^go: downloading .*\n/gm, '')).toBe('');
      expect(run.status).toBe(0);
      const answer = JSON.parse(run.stdout) as GoAnswer;
      const pairs = (SIZE * (SIZE + 1)) / 2;
      expect(answer).toMatchObject({ Checkpoints: SIZE + 1, Inclusions: pairs, Consistencies: pairs });
      expect(answer.Refused).toBeGreaterThan(4 * pairs);

      // Ed25519 is deterministic: with our key, Go signs the very note that we signed.
      expect(answer.SignedWithYourKey).toBe(evidence.checkpoints[SIZE]);
      expect(openCheckpoint(answer.SignedWithOwnKey, answer.OwnVerifierKey)).toMatchObject({ ok: true, size: SIZE });
      expect(openLedgerKey(answer.OwnPrivateKey).verifierKey).toBe(answer.OwnVerifierKey);
    },
    BUILD_MS,
  );
});
