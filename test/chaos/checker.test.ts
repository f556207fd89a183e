// The checker of chaos runs finds what it is there to find: each kind of fault is planted into a copy of a good run.

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { FULL } from '../support/full.ts';
import { describeWhen } from '../support/need.ts';
import { PYTHON_NEED, python } from './checker.ts';
import {
  change,
  checkWith,
  flipped,
  flippedHash,
  flippedProof,
  folder,
  forged,
  forkedCheckpoint,
  hasHashes,
  hasProof,
  isSigned,
  isValid,
  LAST,
  lineOf,
  type Run,
  strangeToken,
  write,
} from './planted-runs.ts';
import { runChaos } from './run.ts';

type Plant = readonly [title: string, kind: string, plant: (run: Run) => void, says: RegExp];

const PLANTS: readonly Plant[] = [
  [
    'the last entry is missing',
    'lost',
    (run) => write(run, `DELETE FROM entries WHERE idx = ${LAST}`),
    /shows \d+ entries, and \d+ are there/,
  ],
  [
    'an entry in the middle is missing',
    'gaps',
    (run) => write(run, 'DELETE FROM entries WHERE idx = 5'),
    /entry 5 is followed by 6/,
  ],
  [
    'a name is there twice',
    'duplicates',
    (run) =>
      write(
        run,
        `DROP INDEX entries_by_name; INSERT INTO entries SELECT ${LAST} + 1, scope, name, author, recorded_at, digest, leaf, nodes, salt, content, provenance FROM entries WHERE idx = 4`,
      ),
    /entries 4 and \d+ have the name/,
  ],
  [
    'one token was called new twice',
    'duplicates',
    (run) => void run.lines.push(lineOf(run, 'recorded', (line) => line['new'] === true)),
    /entry \d+ .+ was new, and so was entry \d+/,
  ],
  ['two checkpoints of one size', 'forks', (run) => void run.lines.push(forkedCheckpoint(run)), /differ|another root/],
  [
    'the key of the ledger has changed',
    'forks',
    (run) => change(run, lineOf(run, 'start'), { verifier_key: 'other+00000000+AA==' }),
    /the ledger is of other\+/,
  ],
  [
    'a receipt with another path',
    'wrong_proofs',
    (run) => change(run, lineOf(run, 'recorded', hasProof), flippedProof(lineOf(run, 'recorded', hasProof))),
    /the receipt of entry \d+ .+ does not lead to its checkpoint/,
  ],
  ...(['inclusion', 'consistency'] as const).map(
    (kind): Plant => [
      `a proof of ${kind} with another path`,
      'wrong_proofs',
      (run) => change(run, lineOf(run, kind, hasHashes), flippedHash(lineOf(run, kind, hasHashes))),
      /does not hold/,
    ],
  ),
  [
    'an entry that was acknowledged otherwise',
    'altered',
    (run) => change(run, lineOf(run, 'recorded'), { leaf: flipped(lineOf(run, 'recorded')['leaf'] as string) }),
    /is another leaf than was acknowledged/,
  ],
  [
    'a leaf that was edited, with its hash',
    'altered',
    (run) =>
      write(
        run,
        'UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), \'"level":"L3"\', \'"level":"L2"\') AS BLOB) WHERE idx = 6',
      ),
    /entry 6/,
  ],
  [
    'a time that goes back',
    'altered',
    (run) => write(run, 'UPDATE entries SET recorded_at = recorded_at - 100000 WHERE idx = 6'),
    /entry 6 is dated before entry 5/,
  ],
  [
    'a token that was accepted twice',
    'reused_tokens',
    (run) => void run.lines.push({ ...lineOf(run, 'verdict', isValid), request_id: 'another-request-of-another' }),
    /was accepted again/,
  ],
  [
    'a token under a key that was not announced',
    'unannounced_keys',
    (run) => change(run, lineOf(run, 'issued', isSigned), { token: strangeToken() }),
    /which no ledger made active/,
  ],
  [
    'an entry under a key that was not active yet',
    'unannounced_keys',
    (run) =>
      write(
        run,
        'UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), \'"active"\', \'"retired"\') AS BLOB) WHERE idx = 1',
      ),
    /which is not active before it/,
  ],
  [
    'a token that does not verify',
    'bad_tokens',
    (run) =>
      change(run, lineOf(run, 'issued', isSigned), { token: forged(String(lineOf(run, 'issued', isSigned)['token'])) }),
    /its signature does not verify/,
  ],
  [
    'two tokens for one request id',
    'bad_tokens',
    (run) => {
      const keyed = lineOf(run, 'issued', (line) => 'request_id' in line);
      const other = lineOf(run, 'issued', (line) => isSigned(line) && line['token'] !== keyed['token']);
      run.lines.push({ ...other, request_id: keyed['request_id'] });
    },
    /was answered with two tokens/,
  ],
  [
    'a good token that was called bad',
    'wrong_verdicts',
    (run) => change(run, lineOf(run, 'verdict', isValid), { valid: false, reason: 'SIGNATURE_INVALID' }),
    /SIGNATURE_INVALID/,
  ],
  [
    'a repeated call that was called a replay',
    'wrong_verdicts',
    (run) => void run.lines.push({ ...lineOf(run, 'verdict', isValid), valid: false, reason: 'TOKEN_REPLAYED' }),
    /a repeated call is called a replay/,
  ],
  [
    'what the driver found broken',
    'broken',
    (run) => void run.lines.push({ kind: 'broken', what: 'the service does not start' }),
    /the service does not start/,
  ],
];

/** Where a loss was accepted, which takes six starts of the service. */
const LOSS_PLANTS: readonly Plant[] = [
  [
    'an old copy of the whole ledger is in its place',
    'lost',
    (run) => copyFileSync(join(run.folder, 'keys/copy-ledger.db'), run.ledger),
    /entry \d+ \(.+\) was acknowledged/,
  ],
  [
    'a loss that nobody accepted',
    'forks',
    (run) => void run.lines.splice(run.lines.indexOf(lineOf(run, 'epoch')), 1),
    /states a loss that nobody accepted/,
  ],
  [
    'a loss that is said to be smaller',
    'forks',
    (run) => change(run, lineOf(run, 'epoch'), { kept: Number(lineOf(run, 'epoch')['kept']) + 1 }),
    /does not state the loss/,
  ],
];

/** What is done to the service in the good run. */
const FAULT = FULL ? 'accept-loss' : 'kill';

describeWhen(python !== undefined, 'the checker of chaos runs', PYTHON_NEED, () => {
  beforeAll(async () => {
    const good = join(folder, 'good');
    mkdirSync(good);
    await runChaos({ folder: good, seed: 1, seconds: 0.1, faults: [FAULT], changesVariants: false, movesClock: false });
  });

  test(`L1 L8 L11 R8: finds nothing in a short run with the fault ${FAULT}`, async () => {
    const { findings, counts, sentences } = await checkWith(() => undefined);
    expect(sentences).toEqual([]);
    expect(Object.values(findings).every((count) => count === 0)).toBe(true);
    expect(counts['epochs']).toBe(FULL ? 2 : 1);
    for (const kind of ['recorded', 'checkpoint', 'inclusion', 'consistency', 'issued', 'verdict']) {
      expect(counts[kind], kind).toBeGreaterThan(0);
    }
  });

  test.each(FULL ? [...PLANTS, ...LOSS_PLANTS] : PLANTS)('names what is planted: %s', async (_, kind, plant, says) => {
    const { ok, findings, sentences } = await checkWith(plant);
    expect(ok).toBe(false);
    expect(findings[kind]).toBeGreaterThan(0);
    expect(sentences.filter((sentence) => sentence.startsWith(`${kind}: `)).join('\n')).toMatch(says);
  });

  test('every kind of finding is planted', async () => {
    const { findings } = await checkWith(() => undefined);
    expect(Object.keys(findings).toSorted()).toEqual([...new Set(PLANTS.map(([, kind]) => kind))].toSorted());
  });
});
